import { z } from 'zod';

/**
 * Limits of a turn, one per phase, in milliseconds. Each clock starts when its phase begins; the first message's starts
 * when the prompt has been written to a ready process, so that a slow start is never taken for a broken process. Three of
 * them have other names in the seed: `firstMessageMs` is streamFirstChunkTimeout, `silenceMs` streamOngoingTimeout,
 * `interruptMs` streamInterruptTimeout. The descriptions are shown to operators and clients.
 */
export const turnLimitsSchema = z.strictObject({
  queuedMs: z
    .number()
    .int()
    .min(100)
    .max(86_400_000)
    .default(600_000)
    .describe(
      'Longest wait of a prompt for the turns before it on its session. ms, 100..86400000.',
    ),
  startMs: z
    .number()
    .int()
    .min(1_000)
    .max(600_000)
    .default(60_000)
    .describe('Longest start of an agent process, all attempts together. ms, 1000..600000.'),
  firstMessageMs: z
    .number()
    .int()
    .min(500)
    .max(120_000)
    .default(15_000)
    .describe(
      'Longest wait for the process to take a prompt; past it the process is replaced. ms, 500..120000.',
    ),
  firstTokenMs: z
    .number()
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(120_000)
    .describe(
      'Longest wait for the first token of each model answer; past it the turn is interrupted. ms, 1000..3600000.',
    ),
  silenceMs: z
    .number()
    .int()
    .min(10_000)
    .max(600_000)
    .default(60_000)
    .describe(
      'Longest silence within an answer (upstream pings do not count); past it the turn is interrupted. ms, 10000..600000.',
    ),
  toolMs: z
    .number()
    .int()
    .min(1_000)
    .max(86_400_000)
    .default(1_800_000)
    .describe('Longest run of one tool; past it the turn is interrupted. ms, 1000..86400000.'),
  awaitingClientMs: z
    .number()
    .int()
    .min(1_000)
    .max(2_147_483_647)
    .default(86_400_000)
    .describe(
      'Longest wait for a client to answer a permission request or a tool call. ms, 1000..2147483647.',
    ),
  retryingMs: z
    .number()
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(300_000)
    .describe(
      'Longest time that announced retries of the model call may take together, during which silence does not count. ms, 1000..3600000.',
    ),
  turnMs: z
    .number()
    .int()
    .min(1_000)
    .max(2_147_483_647)
    .default(7_200_000)
    .describe('Longest turn, from the writing of the prompt. ms, 1000..2147483647.'),
  interruptMs: z
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .describe('How long an interrupt may take before the process is destroyed. ms, 100..60000.'),
});

export type TurnLimits = z.output<typeof turnLimitsSchema>;

export const DEFAULT_TURN_LIMITS: TurnLimits = turnLimitsSchema.parse({});

/** Limits that a caller sets, of a session or of one turn, within the same bounds; what is left out is inherited. */
export const turnLimitOverridesSchema = z.strictObject(
  Object.fromEntries(
    // Without its default: one that was not asked for must not overwrite what is inherited.
    Object.entries(turnLimitsSchema.shape).map(([name, limit]) => [
      name,
      limit.unwrap().optional(),
    ]),
  ),
) as z.ZodType<Partial<TurnLimits>>;
