import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { errorBody } from '../../../dialects/anthropic-messages/error-body.ts';
import { asRoundhouseError, RoundhouseError } from '../../../errors.ts';
import { gapBefore, type LogItem } from '../../../events/preview.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import type { AppDependencies } from '../../deps.ts';
import { SESSION_ERRORS } from '../../openapi/error-codes.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { parseQuery, wholeNumber, wholeNumberOr } from '../../query.ts';
import { sseEvent, SseWriter } from '../../sse-writer.ts';
import { gapAnswer, recordAnswer, streamEventAnswer } from './answers.ts';
import { sessionNameIn, sessionParams } from './params.ts';
import type { SessionParams } from './params.ts';

const number = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const querySchema = z.strictObject({
  after: wholeNumberOr(0, 0, Number.MAX_SAFE_INTEGER).describe('Records with a greater number.'),
  limit: wholeNumberOr(1_000, 1, 10_000).describe(
    'Records of a page, which has fewer where they are large; not for streams.',
  ),
});

const OPERATION: Operation = {
  id: 'listSessionRecords',
  tag: 'Sessions by name',
  summary: 'Read the events of a session',
  description:
    'As a page, or with `accept: text/event-stream` as a stream that goes on with what happens.',
  params: sessionParams,
  query: querySchema,
  headers: z.object({
    'last-event-id': z
      .string()
      .optional()
      .describe('For streams: the number that was seen last; it beats `after`.'),
  }),
  answers: {
    200: {
      description: 'A page of records, or the stream.',
      schema: z.object({
        data: z.array(recordAnswer),
        next: z.int().nullable().describe('The `after` of the next page; null on the last one.'),
        gap: gapAnswer.nullable().describe('Records that are gone ahead of the first one.'),
      }),
      events: streamEventAnswer,
    },
  },
  errors: ['session_not_found', ...SESSION_ERRORS],
};

/** For a log that ends without an error. */
const SESSION_ENDED = new RoundhouseError('session_ended', 'The session has ended.');
const KEEP_ALIVE = ': keep-alive\n\n';

/**
 * `GET /sessions/:sessionId/events`: the records after `after` (default 0), as a JSON page, or with
 * `accept: text/event-stream` as a stream that goes on with what happens (`limit` is for pages only). Records that are
 * gone are a `gap`, and a stream that the server ends says why in an `end`.
 */
export function sessionEventsRoute(app: FastifyInstance, deps: AppDependencies): void {
  app.get<SessionParams>(
    '/sessions/:sessionId/events',
    described(OPERATION),
    async (request, reply) => {
      const name = sessionNameIn(request);
      const query = parseQuery(querySchema, request.query);
      if ((request.headers.accept ?? '').includes('text/event-stream')) {
        const after = lastEventId(request) ?? query.after;
        return follow(deps, request, reply, name, after);
      }
      const { after, limit } = query;
      const { records, next } = await deps.pool.listEvents(request.tenant, name, { after, limit });
      return { data: records, next, gap: gapBefore(after, records[0]) ?? null };
    },
  );
}

/** What a reconnecting reader saw last; it beats the query, which is that of the first connection. */
function lastEventId(request: FastifyRequest): number | undefined {
  const header = request.headers['last-event-id'];
  if (header === undefined || header === '') return undefined;
  const parsed = number.safeParse(header);
  if (parsed.success) return parsed.data;
  throw new RoundhouseError(
    'invalid_request',
    'last-event-id: expected the number of an event, as the stream gave it',
  );
}

async function follow(
  { pool, options }: AppDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  after: number,
): Promise<FastifyReply> {
  const signal = clientGoneSignal(reply.raw);
  let items: AsyncIterable<LogItem>;
  try {
    items = await pool.followEvents(request.tenant, name, { after, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    // Gone while the session came into memory: nobody is there to be answered, and Fastify must not try.
    return reply.hijack();
  }
  reply.hijack();
  const writer = new SseWriter(reply.raw, {
    headers: reply.getHeaders(),
    heartbeat: KEEP_ALIVE,
    heartbeatMs: options.heartbeatMs,
    readerMaxLagMs: options.readerMaxLagMs,
  });
  let lastNumber = after;
  try {
    for await (const item of items) {
      writer.send(itemText(item));
      lastNumber = item.record?.number ?? item.gap?.to ?? lastNumber;
      if (writer.blocked) await writer.drained();
      if (writer.closed) break;
    }
    writer.send(endText(SESSION_ENDED, request.id, lastNumber));
  } catch (error) {
    writer.send(endText(asRoundhouseError(error), request.id, lastNumber));
  } finally {
    writer.end();
  }
  return reply;
}

/** The last event of a stream that the server ends: why, whether to come back, and from where. */
function endText(error: RoundhouseError, requestId: string, lastNumber: number): string {
  const { message } = errorBody(error, requestId).error;
  const reconnect = error.kind.retryable || error.code === 'reader_too_slow';
  return sseEvent('end', JSON.stringify({ reason: error.code, reconnect, lastNumber, message }));
}

/** A record, or the end of a gap, under its number; a preview has none, so that it moves no `Last-Event-ID`. */
function itemText(item: LogItem): string {
  if (item.gap !== undefined) return sseEvent('gap', JSON.stringify(item.gap), item.gap.to);
  if (item.record !== undefined) {
    return sseEvent(item.record.type, JSON.stringify(item.record), item.record.number);
  }
  return sseEvent('preview', JSON.stringify({ turnId: item.turnId, ...item.preview }));
}
