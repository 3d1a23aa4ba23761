import { describe, expect, test } from 'vitest';

import type { AgentOutput } from '../../contracts/agent-driver.ts';
import { drained, recordedTurn } from './fixtures/recorded.ts';
import { promptLifecycle } from './lifecycle.ts';
import { TurnRun } from './turn-run.ts';

const keep = (text: string): string => text;

/** Plays a recorded turn to a run, from the prompt on. */
function play(name: string, prepare: (run: TurnRun) => void = () => {}): TurnRun {
  const messages = recordedTurn(name);
  const promptId = messages.map(promptLifecycle).find((lifecycle) => lifecycle)?.promptId ?? '';
  const run = new TurnRun(promptId, keep);
  run.turn.accept();
  prepare(run);
  for (const message of messages) {
    if (promptLifecycle(message) === undefined) run.receive(message, true);
  }
  return run;
}

async function endOf(run: TurnRun): Promise<Extract<AgentOutput, { kind: 'ended' }>> {
  const outputs = await drained(run.turn);
  const last = outputs.at(-1);
  if (last?.kind !== 'ended') throw new Error('The turn has no end.');
  return last;
}

describe('the end of a turn', () => {
  test.each([
    ['text', 'completed'],
    ['tool', 'completed'],
    ['cut-and-retried', 'completed'],
    ['max-tokens', 'max_tokens'],
    ['refusal', 'refusal'],
    ['max-turns', 'max_turns'],
  ])('of the recorded turn %s is %s', async (name, reason) => {
    expect((await endOf(play(name))).end).toMatchObject({ reason });
  });

  test.each([
    ['status-400', 'upstream_invalid_request'],
    ['status-429', 'upstream_rate_limited'],
    ['compacted', 'upstream_too_large'],
  ])('of the recorded turn %s is the error %s', async (name, code) => {
    expect((await endOf(play(name))).end).toMatchObject({ reason: 'failed', error: { code } });
  });

  test('tells when to come back after a rate limit', async () => {
    expect((await endOf(play('status-429'))).end.error?.retryAfterSeconds).toBe(1);
  });

  test('counts this turn only, with its price and without the turns before', async () => {
    const { end } = await endOf(play('tool'));
    expect(end).toMatchObject({ modelRequests: 2, stopReason: 'end_turn' });
    expect(end.usage).toMatchObject({ inputTokens: 20, outputTokens: 10 });
    expect(end.usage.costUsd).toBeCloseTo(0.00028);
  });

  test('counts what subagents used', async () => {
    expect((await endOf(play('subagent'))).end.usage).toMatchObject({ inputTokens: 40 });
  });

  test('is an interrupt when somebody asked for it', async () => {
    const run = play('interrupted-tool', (playing) => playing.markInterrupted());
    expect((await endOf(run)).end).toMatchObject({
      reason: 'interrupted',
      error: { code: 'turn_interrupted' },
    });
  });

  test('waits to see whether the process is dying when nobody asked', async () => {
    const run = play('interrupted-text');
    expect(run.turn.ended).toBe(false);
    run.settled(true);
    expect(run.turn.ended).toBe(false);
    run.fail('agent_died', 'It was killed.', false);
    expect((await endOf(run)).end.error?.code).toBe('agent_died');
  });

  test('is not taken from the result of another prompt', () => {
    const run = new TurnRun('another prompt', keep);
    run.turn.accept();
    for (const message of recordedTurn('text')) run.receive(message, true);
    expect(run.turn.ended).toBe(false);
  });

  test('is an error when the agent closes the prompt without a result', async () => {
    const run = new TurnRun('a prompt that was sent before', keep);
    run.turn.accept();
    run.settled(true);
    expect((await endOf(run)).end.error?.code).toBe('agent_failed');
  });

  test('has no secret in its message', async () => {
    const run = new TurnRun('p', (text) => text.replaceAll('sk-secret', '[redacted]'));
    run.fail('agent_died', 'It said last: sk-secret', false);
    expect((await endOf(run)).end.error?.message).toBe('It said last: [redacted]');
  });
});
