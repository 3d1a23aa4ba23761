import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorText } from '../errors.ts';
import type { Logger } from '../telemetry/telemetry.ts';
import { ClientGone } from './client-presence.ts';
import { discardBody } from './discard-body.ts';
import { httpFailure } from './http-error.ts';

/** Answers with an error in Anthropic's shape. What went wrong inside is logged with the request's id, never sent. */
export function sendFailure(
  log: Logger,
  request: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
  delivered = false,
): void {
  const { status, headers, body, error } = httpFailure(thrown, request.id, delivered);
  if (status === 500 && !(error.cause instanceof ClientGone)) {
    log.error('http_error', {
      requestId: request.id,
      code: error.code,
      error: error.message,
      cause: error.cause === undefined ? undefined : causeText(error.cause),
    });
  }
  if (error.code === 'payload_too_large') discardBody(request, reply);
  void reply.code(status).headers(headers).send(body);
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : errorText(cause);
}
