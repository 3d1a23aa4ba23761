import { z } from 'zod';
import type { Gap } from '../../../events/preview.ts';
import type { EventRecord, Usage } from '../../../events/record.ts';
import { turnLimitOverridesSchema } from '../../../definitions/turn-limits.ts';
import { TRANSITIONS, type SessionStatus } from '../../../session/states.ts';
import type { TurnPhase } from '../../../session/stream-handle.ts';
import type { SessionInfo } from '../../pool-port.ts';

/** What the routes of sessions by name answer with. */

const count = z.int().min(0);

const usage = z.object({
  inputTokens: count,
  outputTokens: count,
  cacheReadInputTokens: count,
  cacheCreationInputTokens: count,
  costUsd: z.number().min(0).describe('As the agent estimates it; 0 when it is unknown.'),
}) satisfies z.ZodType<Usage>;

const PHASES = [
  'queued',
  'starting',
  'awaiting-first-message',
  'awaiting-first-token',
  'streaming',
  'tool',
  'awaiting-client',
  'retrying',
  'ended',
] as const satisfies TurnPhase[];

const statuses = Object.keys(TRANSITIONS).filter(isStatus);

export const sessionInfoAnswer = z
  .object({
    id: z.string().describe('Minted by the server, `sesn_…`.'),
    name: z.string().describe("The caller's."),
    status: z.enum(statuses).describe('See docs/session-lifecycle.md.'),
    phase: z
      .enum(PHASES)
      .nullable()
      .describe('Of the running turn; see docs/session-lifecycle.md.'),
    clientId: z.string().nullable().describe('The attachment of its process.'),
    model: z.string().nullable(),
    limits: turnLimitOverridesSchema.describe('Its own; the rest is the configuration’s. ms.'),
    turnCount: count,
    queuedTurns: count,
    usage,
    createdAt: z.iso.datetime(),
    lastActiveAt: z.iso.datetime(),
    archivedAt: z.iso.datetime().nullable(),
    activeMs: z.number().min(0).describe('How long its turns have run, all together.'),
    ageSeconds: z.number().min(0),
    idleSeconds: z.number().min(0),
    messageCount: count,
    errorCount: count,
    reused: z.boolean(),
  })
  .meta({ id: 'SessionInfo' }) satisfies z.ZodType<SessionInfo>;

/** The type that the route returns, so that the compiler sees a value that the schema does not have. */
export type SessionInfoAnswer = z.output<typeof sessionInfoAnswer>;

/** A record. Its body is an event of the Managed Agents API, whose types its SDKs have. */
export const recordAnswer = z
  .object({
    number: z.int().min(1),
    sessionId: z.string(),
    turnId: z.string().nullable(),
    at: z.iso.datetime(),
    type: z.string(),
    body: z
      .looseObject({ id: z.string(), type: z.string() })
      .describe('An event of the Managed Agents API.'),
    detail: z
      .looseObject({})
      .describe('What that API does not say: the end of a turn, models, usage.'),
  })
  .meta({ id: 'SessionRecord' });

recordAnswer satisfies z.ZodType<Pick<EventRecord, 'number' | 'sessionId' | 'turnId' | 'at'>>;

export const gapAnswer = z
  .object({ from: count, to: count })
  .describe('Numbers that are gone, both included.') satisfies z.ZodType<Gap>;

/** One event of the stream of a session. */
export const streamEventAnswer = z.union([
  recordAnswer.describe('Under the type of the record; its id is the number.'),
  gapAnswer.describe('`gap`'),
  z
    .looseObject({ turnId: z.string(), kind: z.string() })
    .describe('`preview`: a piece of an event on its way.'),
  z
    .object({
      reason: z.string(),
      reconnect: z.boolean(),
      lastNumber: count,
      message: z.string(),
    })
    .describe('`end`: the server ends the stream.'),
]);

function isStatus(name: string): name is SessionStatus {
  return name in TRANSITIONS;
}
