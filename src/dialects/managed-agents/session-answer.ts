import type {
  BetaManagedAgentsDeletedSession,
  BetaManagedAgentsSession,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { z } from 'zod';
import { agentFields } from './agent-answer.ts';
import { metadata, pageOf, time } from './common-schema.ts';
import type { RoundhouseSession, RoundhouseSessionOrigin } from './sessions.ts';

/** What `toSession` makes, as the document of the API shows it. */

const count = z.int().min(0);
const seconds = z.number().min(0);

const money = z.object({
  amount: z.string().describe('Whole cents.'),
  currency: z.literal('USD'),
});

/** Where a fork comes from. */
export const sessionOriginAnswer = z.object({
  session_id: z.string(),
  event_id: z.string().nullable().describe('Null: the end of what was complete.'),
  missing_files: z
    .array(z.object({ file_id: z.string(), mount_path: z.string() }))
    .describe('Files of that session that were gone by then; `resources` is without them.'),
}) satisfies z.ZodType<RoundhouseSessionOrigin>;

export const sessionAnswer = z
  .object({
    type: z.literal('session'),
    id: z.string().describe('`sesn_…`; also its name in the other APIs of this server.'),
    agent: z
      .object({
        type: z.literal('agent'),
        id: z.string(),
        version: z.int().min(1),
        ...agentFields,
        execution_identity: z.object({ type: z.literal('service_account') }),
      })
      .describe('As it was when the session was made, with what the session has of its own.'),
    environment_id: z.string(),
    title: z.string().nullable(),
    metadata,
    resources: z.array(
      z.object({
        type: z.literal('file'),
        id: z.string(),
        file_id: z.string(),
        mount_path: z.string(),
        created_at: time,
        updated_at: time,
      }),
    ),
    budget: z.object({ type: z.literal('limit'), max_list_cost: money }).nullable(),
    status: z.enum(['idle', 'running', 'rescheduling', 'terminated']),
    stats: z.object({ active_seconds: seconds, duration_seconds: seconds }),
    usage: z.object({
      active_seconds: seconds,
      input_tokens: count,
      output_tokens: count,
      cache_read_input_tokens: count,
      cache_creation: z.object({ ephemeral_5m_input_tokens: count }),
      list_cost: money,
    }),
    outcome_evaluations: z.array(z.never()),
    vault_ids: z.array(z.never()),
    deployment_id: z.null(),
    created_at: time,
    updated_at: time,
    archived_at: time.nullable(),
    roundhouse: z
      .object({
        forked_from: sessionOriginAnswer.nullable().describe('Null for one that is no fork.'),
      })
      .describe('Ours, not in the API.'),
  })
  .meta({ id: 'Session' }) satisfies z.ZodType<
  BetaManagedAgentsSession & { roundhouse: RoundhouseSession }
>;

export const sessionDeletedAnswer = z.object({
  id: z.string(),
  type: z.literal('session_deleted'),
}) satisfies z.ZodType<BetaManagedAgentsDeletedSession>;

/** A page that can be left both ways, as the SDK's `BidirectionalPageCursor` reads it. */
export const sessionPageAnswer = pageOf(sessionAnswer).extend({
  prev_page: z.string().nullable().describe('The `page` of the one before; null at the beginning.'),
});
