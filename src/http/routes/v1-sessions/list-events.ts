import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { EventQuery } from '../../../contracts/session-store.ts';
import { eventPageAnswer } from '../../../dialects/managed-agents/event-answer.ts';
import { LISTED_TYPES } from '../../../dialects/managed-agents/event-types.ts';
import { toSessionEvent, turnsToLookUp } from '../../../dialects/managed-agents/session-events.ts';
import { RoundhouseError } from '../../../errors.ts';
import { gapBefore, type Gap } from '../../../events/preview.ts';
import type { SessionEvent } from '../../../events/record.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { createdIn } from '../../created-in.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { beta, moment, page } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery, wholeNumberOr } from '../../query.ts';
import { managedSessionParams, type ManagedSessionParams } from './params.ts';

/** Items of a page; default and maximum are the API's, and what the SDK's tool runner asks for. */
const MAX_LIMIT = 1_000;
/** What a page's events hold at most, the first excepted; the next page goes on behind them. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

const type = z.enum(LISTED_TYPES);
/** One, or several by repeating it; the SDKs write brackets behind the name. */
const types = z
  .union([type, z.array(type)])
  .transform((given) => [...new Set([given].flat())])
  .optional();

const querySchema = z.strictObject({
  ...beta,
  limit: wholeNumberOr(MAX_LIMIT, 1, MAX_LIMIT).describe('Events of a page.'),
  page: page.page,
  order: z.enum(['asc', 'desc']).default('asc').describe('By the order in which they were kept.'),
  types,
  'types[]': types,
  'created_at[gt]': moment,
  'created_at[gte]': moment,
  'created_at[lt]': moment,
  'created_at[lte]': moment,
});

type Query = z.output<typeof querySchema>;

/** A page, and what is gone ahead of it. */
interface EventPageBody extends PageBody<SessionEvent> {
  readonly roundhouse?: { readonly gap: Gap };
}

const OPERATION: Operation = {
  id: 'listSessionEvents',
  tag: 'Sessions',
  summary: 'List the events of a session',
  description: 'What is kept of it, archived or not.',
  params: managedSessionParams,
  query: querySchema,
  answers: { 200: { description: 'A page of events.', schema: eventPageAnswer } },
  errors: ['not_found'],
};

/** `GET /v1/sessions/:sessionId/events`: the events that are kept of a session. */
export function listEventsRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get<ManagedSessionParams>(
    '/v1/sessions/:sessionId/events',
    described(OPERATION),
    async (request): Promise<EventPageBody> => {
      const { sessionId } = request.params;
      const query = toEventQuery(parseQuery(querySchema, request.query));
      const { records, next } = await catalog.events.list(request.tenant, sessionId, query);
      const times = await catalog.events.processedAt(sessionId, turnsToLookUp(records));
      const gap = isWhole(query) ? gapBefore(query.beyond ?? 0, records[0]) : undefined;
      return {
        data: records.flatMap((record) => toSessionEvent(record, times) ?? []),
        next_page: next === null ? null : `${query.order}.${next}`,
        ...(gap !== undefined && { roundhouse: { gap } }),
      };
    },
  );
}

function toEventQuery(query: Query): EventQuery {
  const { order, limit } = query;
  const { createdFrom: from, createdTo: to } = createdIn(query);
  return {
    order,
    limit,
    maxBytes: MAX_PAGE_BYTES,
    beyond: query.page === undefined ? undefined : placeOf(query.page, order),
    types: query.types ?? query['types[]'],
    from,
    to,
  };
}

/** The number that a cursor stands for: the last of the page before, in that order. */
function placeOf(cursor: string, order: EventQuery['order']): number {
  const [, of, number] = /^(asc|desc)\.(\d{1,15})$/.exec(cursor) ?? [];
  if (of === order) return Number(number);
  throw new RoundhouseError(
    'invalid_request',
    'query: page: expected the next_page of a page in the same order, unchanged',
  );
}

/** Whether a page has every record from its place on, so that one that is not there is gone. */
function isWhole({ order, types: wanted, from, to }: EventQuery): boolean {
  return order === 'asc' && wanted === undefined && from === undefined && to === undefined;
}
