import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import { describe, expect, test } from 'vitest';

import type { AgentOutput } from '../../contracts/agent-driver.ts';
import { drained, recordedTurn } from './fixtures/recorded.ts';
import { promptLifecycle } from './lifecycle.ts';
import { TurnRun, type TurnRunParts } from './turn-run.ts';

const keep = (text: string): string => text;

/** Plays a recorded turn to a run, from the prompt on; `before` sees each message first. */
function play(
  name: string,
  prepare: (run: TurnRun) => void = () => {},
  parts: TurnRunParts = {},
  before: (message: SDKMessage, run: TurnRun) => void = () => {},
): TurnRun {
  const messages = recordedTurn(name);
  const promptId = messages.map(promptLifecycle).find((lifecycle) => lifecycle)?.promptId ?? '';
  const run = new TurnRun(promptId, keep, parts);
  run.turn.accept();
  prepare(run);
  for (const message of messages) {
    if (promptLifecycle(message) !== undefined) continue;
    before(message, run);
    run.receive(message, true);
  }
  return run;
}

/** The agent comes to both calls of the recorded message, and asks about the second before either has its result. */
function askAboutTheSecond(message: SDKMessage, run: TurnRun): void {
  if (message.type !== 'user' || run.held.waiting) return;
  run.begin('toolu_5_0');
  run.begin('toolu_5_1');
  void run.hold('toolu_5_1');
}

/** The calls, with the leave that they show; the calls that are asked about; the results. */
async function callsAndResults(run: TurnRun): Promise<unknown[]> {
  return (await drained(run.turn)).flatMap((output): unknown[] => {
    if (output.kind === 'answers_awaited') return [output.toolUseIds];
    if (output.kind !== 'event') return [];
    const { body, detail } = output;
    if (body.type === 'agent.tool_use') return [[detail.toolUseId, body.evaluated_permission]];
    return body.type === 'agent.tool_result' ? [detail.toolUseId] : [];
  });
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

describe('calls of tools that the options allow', () => {
  const allowed = { options: { allowedTools: ['Bash'] } };
  /** Both calls are made, and the agent has not come to them. */
  const withOpenCalls = (): TurnRun => {
    const run = new TurnRun('p', keep, { ...allowed, answers: 'client' });
    run.turn.accept();
    for (const message of recordedTurn('parallel-tools')) {
      if (message.type === 'user') break;
      if (promptLifecycle(message) === undefined) run.receive(message, true);
    }
    return run;
  };

  test('are shown before their results, each with whether the agent asked about it', async () => {
    const run = play(
      'parallel-tools',
      () => {},
      { ...allowed, answers: 'client' },
      askAboutTheSecond,
    );
    expect(await callsAndResults(run)).toEqual([
      ['toolu_5_1', 'ask'],
      ['toolu_5_0', 'allow'],
      'toolu_5_0',
      ['toolu_5_1'],
      'toolu_5_1',
    ]);
  });

  test('are shown at once where nobody could be asked', async () => {
    const run = play('parallel-tools', () => {}, { ...allowed, answers: 'nobody' });
    expect((await callsAndResults(run)).slice(0, 2)).toEqual([
      ['toolu_5_0', 'allow'],
      ['toolu_5_1', 'allow'],
    ]);
  });

  test('are all shown when the turn stands still for another one, or ends', async () => {
    const waiting = withOpenCalls();
    void waiting.hold('toolu_5_0');
    waiting.fail('agent_died', 'gone', false);
    expect(await callsAndResults(waiting)).toEqual([
      ['toolu_5_0', 'ask'],
      ['toolu_5_1', 'allow'],
      ['toolu_5_0'],
    ]);
    const ended = withOpenCalls();
    ended.fail('agent_died', 'gone', false);
    expect(await callsAndResults(ended)).toHaveLength(2);
  });
});
