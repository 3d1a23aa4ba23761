import { z } from 'zod';
import { turnLimitsSchema } from '../definitions/turn-limits.ts';

/** Settings of the session pool. */
export const poolOptionsSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether the pool gives out sessions at all.'),
    maxSessions: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(1_000)
      .describe('Resident sessions in memory (not processes). Sessions, 1..10000.'),
    maxProcesses: z
      .number()
      .int()
      .min(1)
      .max(1_000)
      .optional()
      .describe(
        'Slots: agent processes at once. Processes, 1..1000; by default the memory limit of the machine divided by 250 MiB, at least 1, at most 64.',
      ),
    maxStarts: z
      .number()
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe(
        'Process starts at once, and clones of repositories at once. Starts, 1..64; by default the number of cores.',
      ),
    maxWaiters: z
      .number()
      .int()
      .min(0)
      .max(10_000)
      .default(256)
      .describe(
        'Callers that may wait for a slot; one more is refused at once. Callers, 0..10000.',
      ),
    waitMs: z
      .number()
      .int()
      .min(0)
      .max(600_000)
      .default(30_000)
      .describe('Longest wait of a caller for a slot. ms, 0..600000.'),
    maxQueuedTurns: z
      .number()
      .int()
      .min(0)
      .max(1_000)
      .default(16)
      .describe('Prompts that may queue on one session behind the running one. Prompts, 0..1000.'),
    spares: z
      .strictObject({
        max: z
          .number()
          .int()
          .min(0)
          .max(64)
          .default(2)
          .describe(
            'Processes that are started ahead of new sessions, at most; as many as the rate of new sessions asks for, and never one that takes a slot from anybody. 0 switches them off. Processes, 0..64.',
          ),
        idleMs: z
          .number()
          .int()
          .min(1_000)
          .max(86_400_000)
          .default(300_000)
          .describe(
            'Time without a new session of its configuration after which a prepared process is ended. ms, 1000..86400000.',
          ),
        maxAgeMs: z
          .number()
          .int()
          .min(10_000)
          .max(86_400_000)
          .default(1_800_000)
          .describe('Age at which a prepared process is replaced. ms, 10000..86400000.'),
        reserveBytes: z
          .number()
          .int()
          .min(0)
          .max(1_099_511_627_776)
          .default(536_870_912)
          .describe(
            'Memory that must stay free, besides what one process needs, for another one to be prepared. Bytes, 0..1099511627776.',
          ),
      })
      .prefault({})
      .describe('Processes that are started ahead of new sessions.'),
    warmOnRead: z
      .boolean()
      .default(false)
      .describe(
        'Whether a reader that begins to follow a session without a process brings its process back, where that takes a slot from nobody. Off by default: many readers only look, and a process costs memory.',
      ),
    connectionRecovery: z
      .boolean()
      .default(true)
      .describe('Whether a session whose process failed is connected again when it is asked for.'),
    startAttempts: z
      .number()
      .int()
      .min(1)
      .max(10)
      .default(2)
      .describe('Attempts to start a process before the caller gets an error. Attempts, 1..10.'),
    sessionTtlMs: z
      .number()
      .int()
      .min(60_000)
      .max(86_400_000)
      .default(3_600_000)
      .describe(
        'Age of an attachment of a process, after which the session gets a new process between two turns, or up to a tenth earlier where it is idle; the conversation stays. ms, 60000..86400000.',
      ),
    maxProcessBytes: z
      .number()
      .int()
      .min(134_217_728)
      .max(1_099_511_627_776)
      .optional()
      .describe(
        'Memory of a process, from which on the session gets a new one between two turns; measured with each clean-up. Bytes, 134217728..1099511627776; by default no limit.',
      ),
    maxTurnsPerProcess: z
      .number()
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe(
        'Turns of a process, after which the session gets a new one. Turns, 1..1000000; by default no limit.',
      ),
    minFreeBytes: z
      .number()
      .int()
      .min(0)
      .max(1_099_511_627_776)
      .default(268_435_456)
      .describe(
        'Free memory of the machine, cgroup limits included, below which processes at rest are ended one after the other, prepared ones first. 0 switches it off. Bytes, 0..1099511627776.',
      ),
    maxDeaths: z
      .number()
      .int()
      .min(0)
      .max(100_000)
      .default(10)
      .describe(
        'Agent processes that may die by themselves within deathsPeriodMs; at so many the server is not ready and starts slowly, until they are half as many. 0 switches it off. Deaths, 0..100000.',
      ),
    deathsPeriodMs: z
      .number()
      .int()
      .min(1_000)
      .max(3_600_000)
      .default(60_000)
      .describe('Period in which deaths of agent processes are counted. ms, 1000..3600000.'),
    idleThresholdMs: z
      .number()
      .int()
      .min(1_000)
      .max(86_400_000)
      .default(600_000)
      .describe(
        'Idle time after which a process is taken away; the conversation stays. ms, 1000..86400000.',
      ),
    cleanupIntervalMs: z
      .number()
      .int()
      .min(100)
      .max(3_600_000)
      .default(30_000)
      .describe('Period of the idle clean-up. ms, 100..3600000.'),
    retention: z
      .strictObject({
        maxEvents: z
          .number()
          .int()
          .min(1)
          .max(1_000_000_000)
          .optional()
          .describe(
            'Events of a session that are kept; by default all. Its last turn, and turns that have not ended, stay in any case. Events, 1..1000000000.',
          ),
        maxAgeMs: z
          .number()
          .int()
          .min(1_000)
          .max(315_360_000_000)
          .optional()
          .describe(
            'Age by the wall clock at which an event goes; by default never. ms, 1000..315360000000.',
          ),
        maxBytes: z
          .number()
          .int()
          .min(1_024)
          .max(1_099_511_627_776)
          .optional()
          .describe(
            'Size of the events of a session that are kept, as JSON; by default any. Bytes, 1024..1099511627776.',
          ),
      })
      .prefault({})
      .describe('How much of the events of each session is kept.'),
    drainMs: z
      .number()
      .int()
      .min(0)
      .max(600_000)
      .default(20_000)
      .describe(
        'How long running turns may go on after SIGTERM before they are interrupted. ms, 0..600000.',
      ),
    limits: turnLimitsSchema
      .default(turnLimitsSchema.parse({}))
      .describe('Limits of a turn, by phase.'),
  })
  .superRefine((options, context) => {
    // The order that the seed asks for: a broken process shows before a silent stream, and that before the end of its life.
    if (options.limits.firstMessageMs >= options.limits.silenceMs) {
      context.addIssue({
        code: 'custom',
        path: ['limits', 'firstMessageMs'],
        message: `expected less than limits.silenceMs (${options.limits.silenceMs}), got ${options.limits.firstMessageMs}`,
      });
    }
    if (options.limits.silenceMs >= options.sessionTtlMs) {
      context.addIssue({
        code: 'custom',
        path: ['limits', 'silenceMs'],
        message: `expected less than sessionTtlMs (${options.sessionTtlMs}), got ${options.limits.silenceMs}`,
      });
    }
  });

export type PoolOptions = z.output<typeof poolOptionsSchema>;
/** What a caller may leave out. */
export type PoolOptionsInput = z.input<typeof poolOptionsSchema>;
