import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../../deps.ts';
import { publiclyDescribed, type Operation } from '../../openapi/operation.ts';

const LIVE: Operation = {
  id: 'getLiveness',
  tag: 'Server',
  summary: 'Whether the process answers',
  answers: { 200: { description: 'It does.', schema: z.object({ status: z.literal('ok') }) } },
};

const READY: Operation = {
  id: 'getReadiness',
  tag: 'Server',
  summary: 'Whether the server takes new turns',
  answers: {
    200: { description: 'It does.', schema: z.object({ ready: z.literal(true) }) },
    503: {
      description: 'It does not.',
      schema: z.object({ ready: z.literal(false), reason: z.string() }),
    },
  },
};

/**
 * `GET /health/live`: the process answers. `GET /health/ready`: it takes new turns; 503 with the reason when not. Both
 * without a key, because probes have none.
 */
export function healthRoutes(app: FastifyInstance, { pool }: AppDependencies): void {
  app.get('/health/live', publiclyDescribed(LIVE), () => ({ status: 'ok' }));
  app.get('/health/ready', publiclyDescribed(READY), (_request, reply) => {
    const readiness = pool.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
}
