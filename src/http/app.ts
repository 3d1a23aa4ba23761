import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RoundhouseError } from '../errors.ts';
import { logWhenOver } from './access-log.ts';
import { createAuthenticator } from './auth.ts';
import { catalogRoutes } from './catalog-routes.ts';
import type { AppDependencies } from './deps.ts';
import { listRoutes, type Route } from './openapi/route-list.ts';
import { newRequestId } from './request-id.ts';
import { drainRoute } from './routes/admin/drain.ts';
import { healthRoutes } from './routes/health/read.ts';
import { countTokensRoute } from './routes/messages/count-tokens.ts';
import { createMessageRoutes } from './routes/messages/create.ts';
import { metricsRoute } from './routes/metrics/read.ts';
import { listModelsRoute } from './routes/models/list.ts';
import { readModelRoute } from './routes/models/read.ts';
import { deleteSessionRoute } from './routes/sessions/delete.ts';
import { sessionEventsRoute } from './routes/sessions/events.ts';
import { interruptSessionRoute } from './routes/sessions/interrupt.ts';
import { openApiRoutes } from './routes/openapi/read.ts';
import { listSessionsRoute } from './routes/sessions/list.ts';
import { readSessionRoute } from './routes/sessions/read.ts';
import { warmSessionRoute } from './routes/sessions/warm.ts';
import { sendFailure } from './send-failure.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route, with what it says of itself. */
    routeList: readonly Route[];
  }
  interface FastifyRequest {
    /** Whose sessions the request may see: the key's id, or `default` without keys. Empty on public routes. */
    tenant: string;
    /** Whether the request may run the server: its key may, or there are no keys. False on public routes. */
    admin: boolean;
  }
}

/** Longest path parameter that reaches a route, so that the route, not the router, says what is wrong with an id. */
const MAX_PARAM_CHARS = 2_048;

/**
 * The HTTP side as a Fastify instance that does not listen. Keys, request ids, error bodies and the access log hold for
 * every route. `close()` waits for open requests: end the pool's turns first.
 */
export function createApp(deps: AppDependencies): FastifyInstance {
  const { options, telemetry } = deps;
  const authenticate = createAuthenticator(options.keys);
  const app = Fastify({
    logger: false,
    bodyLimit: options.maxBodyBytes,
    genReqId: newRequestId,
    // A server that drains refuses by itself, with our error body.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    frameworkErrors: (error, request, reply) => {
      begin(request, reply);
      sendFailure(telemetry.log, request, reply, error);
    },
  });

  const begin = (request: FastifyRequest, reply: FastifyReply): void => {
    request.tenant = '';
    request.admin = false;
    reply.header('request-id', request.id);
    logWhenOver(telemetry.log, request, reply);
  };

  // JSON is the only body there is; a text body is what a page of another site could send without asking.
  app.removeContentTypeParser('text/plain');
  app.decorateRequest('tenant', '');
  app.decorateRequest('admin', false);
  app.addHook('onRequest', async (request, reply) => {
    begin(request, reply);
    if (request.routeOptions.config.public === true) return;
    const { tenant, admin } = authenticate(request.headers);
    request.tenant = tenant;
    request.admin = admin;
  });
  app.setErrorHandler((error, request, reply) => {
    sendFailure(telemetry.log, request, reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new RoundhouseError(
      'not_found',
      `There is no ${request.method} ${pathOf(request.url)} here; see docs/http-api.md.`,
    );
    sendFailure(telemetry.log, request, reply, error);
  });

  const routes = listRoutes(app);
  app.decorate('routeList', routes);
  for (const route of ROUTES) route(app, deps);
  if (deps.catalog !== undefined) catalogRoutes(app, { catalog: deps.catalog, options });
  openApiRoutes(app, routes);
  return app;
}

const ROUTES: readonly ((app: FastifyInstance, deps: AppDependencies) => void)[] = [
  createMessageRoutes,
  countTokensRoute,
  listModelsRoute,
  readModelRoute,
  listSessionsRoute,
  readSessionRoute,
  deleteSessionRoute,
  interruptSessionRoute,
  warmSessionRoute,
  sessionEventsRoute,
  healthRoutes,
  metricsRoute,
  drainRoute,
];

function pathOf(url: string): string {
  return (url.split('?')[0] ?? '').slice(0, 200);
}
