import { expect, test } from 'vitest';
import { ContextUse } from './context-use.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import type { AgentOutput } from '../contracts/agent-driver.ts';
import { NO_USAGE, type Usage } from '../events/record.ts';
import { wallClockIso } from '../time/clock.ts';

useFakeClock();

function requestEnd(usage: Partial<Usage>, parentToolUseId?: string): AgentOutput {
  return {
    kind: 'event',
    body: {
      type: 'span.model_request_end',
      id: 'sevt_1',
      processed_at: wallClockIso(),
      is_error: false,
      model_request_start_id: 'sevt_0',
      model_usage: {
        input_tokens: 0,
        output_tokens: 0,
        cache_read_input_tokens: 0,
        cache_creation_input_tokens: 0,
      },
    },
    detail: {
      usage: { ...NO_USAGE, ...usage },
      ...(parentToolUseId !== undefined && { parentToolUseId }),
    },
  };
}

const ROW = {
  usage: { ...NO_USAGE, inputTokens: 100, cacheReadInputTokens: 700, outputTokens: 200 },
  turnCount: 4,
} as const;

/** What is known of a session of which this host has seen nothing yet. */
function row() {
  return { ...ROW, lastActiveAt: wallClockIso() };
}

test('the context is all that the last model request read and wrote, of the session itself', async () => {
  const context = new ContextUse();
  const known = row();
  context.observe(requestEnd({ inputTokens: 5, outputTokens: 5 }));
  context.observe(
    requestEnd({
      inputTokens: 3,
      cacheReadInputTokens: 40_000,
      cacheCreationInputTokens: 2_000,
      outputTokens: 500,
    }),
  );
  context.observe({ kind: 'activity' });
  await pass(60_000);
  context.observe(requestEnd({ inputTokens: 9 }, 'toolu_of_a_subagent'));
  context.observe(requestEnd({}));
  expect(context.estimate(known)).toEqual({ tokens: 42_503, sinceMs: 60_000 });
});

test('before the first request the average of a turn and the time of the last prompt must do', async () => {
  const context = new ContextUse();
  const known = row();
  await pass(90_000);
  expect(context.estimate(known)).toEqual({ tokens: 250, sinceMs: 90_000 });
  expect(context.estimate({ ...known, turnCount: 0 }).tokens).toBe(0);
});
