import { createHash } from 'node:crypto';
import type { BetaManagedAgentsSendSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { sendAnswer } from '../../../dialects/managed-agents/event-answer.ts';
import { sendSchema } from '../../../dialects/managed-agents/event-schema.ts';
import {
  parseSendEvents,
  toSendAnswer,
  type SentInput,
} from '../../../dialects/managed-agents/send-events.ts';
import { RoundhouseError } from '../../../errors.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import { SESSION_ERRORS } from '../../openapi/error-codes.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams, type ManagedSessionParams } from './params.ts';

const idempotencyKey = z.string().regex(/^[\x20-\x7e]{1,255}$/);

const OPERATION: Operation = {
  id: 'sendSessionEvents',
  tag: 'Sessions',
  summary: 'Send events into a session',
  description:
    'All or none. They are in the store when the answer comes; messages run one after the other.',
  params: managedSessionParams,
  headers: z.object({
    'idempotency-key': idempotencyKey
      .optional()
      .describe(
        'For a day, the same key with the same body is answered again, and nothing is done twice.',
      ),
  }),
  body: {
    schema: sendSchema,
    example: { events: [{ type: 'user.message', content: [{ type: 'text', text: 'Hello' }] }] },
  },
  answers: { 200: { description: 'The events, with their ids.', schema: sendAnswer } },
  errors: [
    'not_found',
    'file_expired',
    'unsupported_field',
    'session_archived',
    'idempotency_conflict',
    'session_not_found',
    ...SESSION_ERRORS,
  ],
};

/** `POST /v1/sessions/:sessionId/events`: messages, interrupts and what the operator adds, in their order. */
export function sendEventsRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.post<ManagedSessionParams>(
    '/v1/sessions/:sessionId/events',
    described(OPERATION),
    async (request, reply): Promise<BetaManagedAgentsSendSessionEvents> => {
      const inputs = parseSendEvents(request.body);
      const key = keyIn(request);
      const { sessionId } = request.params;
      const events = await catalog.events.send(request.tenant, sessionId, inputs, {
        signal: clientGoneSignal(reply.raw),
        ...(key !== undefined && { idempotency: { key, digest: digestOf(inputs) } }),
      });
      return toSendAnswer(events);
    },
  );
}

/** The same for the same inputs only. */
function digestOf(inputs: readonly SentInput[]): string {
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
}

function keyIn({ headers }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined || idempotencyKey.safeParse(key).success) return key?.toString();
  throw new RoundhouseError(
    'invalid_request',
    'idempotency-key: expected 1 to 255 printable ASCII characters; use a UUID, for example',
  );
}
