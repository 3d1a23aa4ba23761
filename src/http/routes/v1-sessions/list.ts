import type { BetaManagedAgentsSession } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { SESSION_LIST_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import { sessionPageAnswer } from '../../../dialects/managed-agents/session-answer.ts';
import { toSession } from '../../../dialects/managed-agents/sessions.ts';
import { RoundhouseError } from '../../../errors.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { createdIn } from '../../created-in.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { includeArchived, moment, page, refusedParameter } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery, wholeNumber } from '../../query.ts';

const status = z.enum(['rescheduling', 'running', 'idle', 'terminated']);
/** One, or several by repeating it; the SDKs write brackets behind the name. */
const statuses = z
  .union([status, z.array(status)])
  .transform((given) => (Array.isArray(given) ? given : [given]))
  .optional();
const id = z.string().min(1).max(200).optional();

const querySchema = z.strictObject({
  ...page,
  order: z.enum(['asc', 'desc']).optional(),
  agent_id: id,
  agent_version: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  'created_at[gt]': moment,
  'created_at[gte]': moment,
  'created_at[lt]': moment,
  'created_at[lte]': moment,
  include_archived: includeArchived,
  statuses,
  'statuses[]': statuses,
  deployment_id: refusedParameter(SESSION_LIST_FIELDS.deployment_id),
  memory_store_id: refusedParameter(SESSION_LIST_FIELDS.memory_store_id),
});

const OPERATION: Operation = {
  id: 'listManagedSessions',
  tag: 'Sessions',
  summary: 'List sessions',
  description: 'Those of the key, newest first. Those that exist by name only are not among them.',
  query: querySchema,
  answers: { 200: { description: 'A page of sessions.', schema: sessionPageAnswer } },
};

type Query = z.output<typeof querySchema>;

/** A page as the SDK's `BidirectionalPageCursor` reads it. */
interface BidirectionalPageBody<Item> extends PageBody<Item> {
  readonly prev_page: string | null;
}

/** `GET /v1/sessions`: the key's sessions. Those that exist by name only are not among them. */
export function listManagedSessionsRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.get(
    '/v1/sessions',
    described(OPERATION),
    async (request): Promise<BidirectionalPageBody<BetaManagedAgentsSession>> => {
      const query = parseQuery(querySchema, request.query);
      const { items, next, prev } = await catalog.sessions.list(request.tenant, {
        limit: query.limit,
        after: query.page,
        order: query.order,
        ...agentIn(query),
        ...createdIn(query),
        includeArchived: query.include_archived,
        statuses: query.statuses ?? query['statuses[]'],
      });
      return { data: items.map(toSession), next_page: next, prev_page: prev };
    },
  );
}

function agentIn({ agent_id: agentId, agent_version: agentVersion }: Query) {
  if (agentId === undefined && agentVersion !== undefined) {
    throw new RoundhouseError(
      'invalid_request',
      'query: agent_version: expected agent_id with it; add that, or remove it',
    );
  }
  return { agentId, agentVersion };
}
