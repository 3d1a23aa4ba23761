import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { EventFeed, ReadFrom } from '../../../catalog/session-events.ts';
import { errorBody } from '../../../dialects/anthropic-messages/error-body.ts';
import { streamAnswer } from '../../../dialects/managed-agents/event-answer.ts';
import {
  SessionEventStream,
  toDeletedEvent,
  type StreamEvent,
} from '../../../dialects/managed-agents/event-stream.ts';
import { turnsToLookUp } from '../../../dialects/managed-agents/session-events.ts';
import { asRoundhouseError, type RoundhouseError } from '../../../errors.ts';
import type { LogItem } from '../../../events/preview.ts';
import { wallClockIso } from '../../../time/clock.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import { SESSION_ERRORS } from '../../openapi/error-codes.ts';
import { ERROR_SCHEMA } from '../../openapi/error-responses.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { beta } from '../../page-query.ts';
import { parseQuery, wholeNumber } from '../../query.ts';
import { sseEvent, SseWriter } from '../../sse-writer.ts';
import { managedSessionParams, type ManagedSessionParams } from './params.ts';

const delta = z.enum(['agent.message', 'agent.thinking']);
/** One, or several by repeating it; the SDKs write brackets behind the name. */
const deltas = z
  .union([delta, z.array(delta)])
  .transform((given) => [given].flat())
  .optional();

const querySchema = z.strictObject({
  ...beta,
  event_deltas: deltas,
  'event_deltas[]': deltas,
  roundhouse_from: wholeNumber(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Ours: begin with the event of that number; 1 is the first. Default: from now on.'),
});

const OPERATION: Operation = {
  id: 'streamSessionEvents',
  tag: 'Sessions',
  summary: 'Follow a session',
  description:
    'From now on, unless a place is named. The stream outlives the turns of the session.',
  params: managedSessionParams,
  query: querySchema,
  headers: z.object({
    'last-event-id': z
      .string()
      .optional()
      .describe('The id of the event that was seen last: the stream goes on behind it.'),
  }),
  answers: { 200: { description: 'The events.', events: z.union([streamAnswer, ERROR_SCHEMA]) } },
  errors: ['not_found', 'session_not_found', 'reader_too_slow', ...SESSION_ERRORS],
};

const KEEP_ALIVE = ': keep-alive\n\n';

/** `GET /v1/sessions/:sessionId/events/stream`: what happens in a session, as it happens. */
export function streamEventsRoute(app: FastifyInstance, deps: CatalogDependencies): void {
  app.get<ManagedSessionParams>(
    '/v1/sessions/:sessionId/events/stream',
    described(OPERATION),
    async (request, reply) => {
      const query = parseQuery(querySchema, request.query);
      const signal = clientGoneSignal(reply.raw);
      const { sessionId } = request.params;
      const from = placeIn(request, query.roundhouse_from);
      let feed: EventFeed;
      try {
        feed = await deps.catalog.events.follow(request.tenant, sessionId, from, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        // Gone while the session came into memory: nobody is there to be answered, and Fastify must not try.
        return reply.hijack();
      }
      const wanted = new Set(query.event_deltas ?? query['event_deltas[]']);
      await write(deps, request, reply, feed, new SessionEventStream(wanted));
      return reply;
    },
  );
}

/** What a reconnecting reader saw last; it beats the query, which is that of the first connection. */
function placeIn({ headers }: FastifyRequest, from: number | undefined): ReadFrom {
  const eventId = headers['last-event-id'];
  if (eventId !== undefined && eventId !== '')
    return { kind: 'event', eventId: eventId.toString() };
  return from === undefined ? { kind: 'now' } : { kind: 'number', number: from };
}

async function write(
  { options }: CatalogDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  feed: EventFeed,
  stream: SessionEventStream,
): Promise<void> {
  reply.hijack();
  const { heartbeatMs, readerMaxLagMs } = options;
  const writer = new SseWriter(reply.raw, {
    headers: reply.getHeaders(),
    heartbeat: KEEP_ALIVE,
    heartbeatMs,
    readerMaxLagMs,
  });
  try {
    for await (const items of feed.batches) {
      writer.send(await textOf(items, feed, stream));
      if (writer.blocked) await writer.drained();
      if (writer.closed) break;
    }
  } catch (error) {
    writer.send(endText(asRoundhouseError(error), request.id));
  } finally {
    writer.end();
  }
}

async function textOf(
  items: readonly LogItem[],
  feed: EventFeed,
  stream: SessionEventStream,
): Promise<string> {
  const turnIds = turnsToLookUp(items.flatMap(({ record }) => record ?? []));
  const times = turnIds.length === 0 ? NONE : await feed.processedAt(turnIds);
  let text = '';
  for (const item of items) {
    const event = stream.project(item, times);
    if (event !== undefined) text += eventText(event);
  }
  return text;
}

const NONE: ReadonlyMap<string, string> = new Map();

/** Under its id, if it is kept; a preview has none, so that it moves no `Last-Event-ID`. */
function eventText(event: StreamEvent): string {
  return sseEvent(event.type, JSON.stringify(event), 'id' in event ? event.id : undefined);
}

/** Why the server ends the stream: because there is no session any more, or as errors in streams are told. */
function endText(error: RoundhouseError, requestId: string): string {
  if (error.code === 'session_ended') return eventText(toDeletedEvent(wallClockIso()));
  return sseEvent('error', JSON.stringify(errorBody(error, requestId)));
}
