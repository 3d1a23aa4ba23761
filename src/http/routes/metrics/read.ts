import type { FastifyInstance } from 'fastify';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';

const OPERATION: Operation = {
  id: 'getMetrics',
  tag: 'Server',
  summary: 'Metrics for Prometheus',
  answers: { 200: { description: 'The metrics; see docs/metrics.md.', media: 'text/plain' } },
};

/** `GET /metrics`, for Prometheus. It needs a key as soon as keys are configured: load and errors are nobody else's business. */
export function metricsRoute(app: FastifyInstance, { renderMetrics }: AppDependencies): void {
  if (renderMetrics === undefined) return;
  app.get('/metrics', described(OPERATION), async (_request, reply) => {
    const { contentType, text } = await renderMetrics();
    return reply.header('content-type', contentType).send(text);
  });
}
