import type { FastifyInstance } from 'fastify';
import type { Operation } from './operation.ts';

/** A route of the app. */
export interface Route {
  readonly method: string;
  /** As Fastify has it: `/v1/agents/:agentId`. */
  readonly url: string;
  readonly public: boolean;
  /** Undefined when it says nothing of itself. */
  readonly operation: Operation | undefined;
}

/**
 * Every route that the app is given from now on, in a list that grows. `HEAD`, which Fastify adds to each `GET`, is left
 * out. Call it before the first route.
 */
export function listRoutes(app: FastifyInstance): readonly Route[] {
  const routes: Route[] = [];
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) {
      if (each === 'HEAD') continue;
      routes.push({
        method: each,
        url,
        public: config?.public === true,
        operation: config?.operation,
      });
    }
  });
  return routes;
}
