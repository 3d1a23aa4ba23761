import type { FastifyInstance } from 'fastify';
import type { AppDependencies } from '../../deps.ts';

/**
 * `GET /health/live`: the process answers. `GET /health/ready`: it takes new turns; 503 with the reason when not. Both
 * without a key, because probes have none.
 */
export function healthRoutes(app: FastifyInstance, { pool }: AppDependencies): void {
  app.get('/health/live', { config: { public: true } }, () => ({ status: 'ok' }));
  app.get('/health/ready', { config: { public: true } }, (_request, reply) => {
    const readiness = pool.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
}
