import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../telemetry/telemetry.ts';
import { monotonicMs } from '../time/clock.ts';

/** What is logged for a client that left before the response was complete (nginx's number for it). */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * Logs one line when the response of the request is over. It hangs on the response's own events, because Fastify's
 * `onResponse` is silent about clients that left. The route's pattern stands in the place of the path; no bodies.
 */
export function logWhenOver(log: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const receivedAtMs = monotonicMs();
  let status = CLIENT_CLOSED_REQUEST;
  reply.raw.once('finish', () => {
    status = reply.raw.statusCode;
  });
  reply.raw.once('close', () => {
    log.info('http_request', {
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status,
      ms: Math.round(monotonicMs() - receivedAtMs),
      requestId: request.id,
      tenant: request.tenant,
    });
  });
}
