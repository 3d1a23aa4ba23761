import { expect, test, vi } from 'vitest';
import { DEFAULT_TURN_LIMITS, type TurnLimits } from '../definitions/turn-limits.ts';
import { endBy, INTERRUPTED_BY_CLIENT, limitCause } from './stop-cause.ts';
import type { TurnPhase } from './stream-handle.ts';
import { Turn } from './turn.ts';
import type { AgentOutput } from '../contracts/agent-driver.ts';
import type { Preview } from '../events/preview.ts';
import { NO_TELEMETRY, type Metrics } from '../telemetry/telemetry.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

const LIMITS: TurnLimits = {
  queuedMs: 1_000,
  startMs: 2_000,
  firstMessageMs: 300,
  firstTokenMs: 4_000,
  silenceMs: 500,
  toolMs: 6_000,
  awaitingClientMs: 7_000,
  retryingMs: 8_000,
  turnMs: 50_000,
  interruptMs: 100,
};

function makeTurn(limits: Partial<TurnLimits> = {}) {
  const reached: TurnPhase[] = [];
  const count = vi.fn<Metrics['count']>();
  const turn = new Turn({
    content: [{ type: 'text', text: 'hello' }],
    model: undefined,
    agentOptions: {},
    limits: { ...LIMITS, ...limits },
    telemetry: { ...NO_TELEMETRY, metrics: { ...NO_TELEMETRY.metrics, count } },
    onLimit: (_turn, phase) => reached.push(phase),
  });
  return { turn, reached, count };
}

const ACCEPTED: AgentOutput = { kind: 'accepted' };
const MESSAGE = preview({ kind: 'message_start', messageId: 'm', model: 'x', inputTokens: 1 });
const TEXT = preview({ kind: 'text_delta', messageId: 'm', index: 0, text: 'a' });
const RETRY: AgentOutput = {
  kind: 'event',
  body: { type: 'session.status_rescheduled', id: 'sevt_1', processed_at: '' },
  detail: {},
};
const EVENT: AgentOutput = {
  kind: 'event',
  body: { type: 'agent.thinking', id: 'sevt_2', processed_at: '' },
  detail: {},
};

function preview(value: Preview): AgentOutput {
  return { kind: 'preview', preview: value };
}

function tool(kind: 'tool_started' | 'tool_finished', toolUseId: string): AgentOutput {
  return { kind, toolUseId };
}

/** A turn that has been delivered and has come this far. */
function running(...outputs: AgentOutput[]) {
  const made = makeTurn();
  made.turn.starting();
  made.turn.delivered();
  for (const output of outputs) made.turn.observe(output);
  return made;
}

test('the phases follow what the agent puts out', () => {
  const { turn } = makeTurn();
  const phases: TurnPhase[] = [turn.phase];
  const note = (): number => phases.push(turn.phase);
  turn.starting();
  note();
  turn.delivered();
  note();
  const outputs: AgentOutput[] = [
    ACCEPTED,
    MESSAGE,
    TEXT,
    tool('tool_started', 't1'),
    { kind: 'answer_awaited', requestId: 'r1' },
    { kind: 'answer_given', requestId: 'r1' },
    tool('tool_finished', 't1'),
    RETRY,
    MESSAGE,
    TEXT,
  ];
  for (const output of outputs) {
    turn.observe(output);
    note();
  }
  turn.finish(endBy(INTERRUPTED_BY_CLIENT));
  note();
  expect(phases).toEqual([
    'queued',
    'starting',
    'awaiting-first-message',
    'awaiting-first-token',
    'awaiting-first-token',
    'streaming',
    'tool',
    'awaiting-client',
    'tool',
    'awaiting-first-token',
    'retrying',
    'awaiting-first-token',
    'streaming',
    'ended',
  ]);
});

test.each<[TurnPhase, number, () => ReturnType<typeof makeTurn>]>([
  ['queued', LIMITS.queuedMs, () => makeTurn()],
  ['awaiting-first-message', LIMITS.firstMessageMs, () => running()],
  ['awaiting-first-token', LIMITS.firstTokenMs, () => running(ACCEPTED)],
  ['streaming', LIMITS.silenceMs, () => running(ACCEPTED, MESSAGE, TEXT)],
  ['tool', LIMITS.toolMs, () => running(ACCEPTED, tool('tool_started', 't1'))],
  [
    'awaiting-client',
    LIMITS.awaitingClientMs,
    () => running(ACCEPTED, { kind: 'answer_awaited', requestId: 'r1' }),
  ],
  ['retrying', LIMITS.retryingMs, () => running(ACCEPTED, RETRY)],
])('the phase %s has its own limit, which is reached once', async (phase, limitMs, make) => {
  const { turn, reached, count } = make();
  expect(turn.phase).toBe(phase);
  await pass(limitMs - 1);
  expect(reached).toEqual([]);
  await pass(1);
  expect(reached).toEqual([phase]);
  expect(count).toHaveBeenCalledWith('roundhouse_phase_timeouts_total', { phase });
  turn.stop(limitCause(phase, LIMITS));
  await pass(100_000);
  expect(reached).toEqual([phase]);
});

test('the phase starting has no clock here: it is bounded where processes are started', async () => {
  const { turn, reached } = makeTurn();
  turn.starting();
  await pass(1_000_000);
  expect(reached).toEqual([]);
});

test('the whole turn has a limit from the writing of the prompt, whatever its phases do', async () => {
  const { turn, reached, count } = makeTurn({ turnMs: 2_000 });
  turn.starting();
  await pass(900_000);
  turn.delivered();
  turn.observe(ACCEPTED);
  turn.observe(TEXT);
  for (let step = 0; step < 4; step += 1) {
    await pass(400);
    turn.observe(TEXT);
  }
  expect(reached).toEqual([]);
  await pass(400);
  expect(reached).toEqual(['ended']);
  expect(count).toHaveBeenCalledWith('roundhouse_phase_timeouts_total', { phase: 'turn' });
});

test('silence counts from the last progress, and kept events are progress too', async () => {
  const { turn, reached } = running(ACCEPTED, MESSAGE, TEXT);
  for (const output of [TEXT, EVENT, TEXT]) {
    await pass(499);
    turn.observe(output);
  }
  expect(reached).toEqual([]);
  await pass(500);
  expect(reached).toEqual(['streaming']);
});

test('a sign of life that carries nothing ends no silence', async () => {
  const { turn, reached } = running(ACCEPTED, MESSAGE, TEXT);
  await pass(300);
  turn.observe({ kind: 'activity' });
  await pass(200);
  expect(reached).toEqual(['streaming']);
});

test('retries share one bound: the time of the earlier ones counts', async () => {
  const { turn, reached } = running(ACCEPTED, RETRY);
  await pass(3_000);
  turn.observe(MESSAGE);
  await pass(3_000);
  turn.observe(RETRY);
  await pass(3_000);
  turn.observe(RETRY);
  await pass(1_999);
  expect(reached).toEqual([]);
  await pass(1);
  expect(reached).toEqual(['retrying']);
});

test('silence does not count while a retry is announced', async () => {
  const { reached } = running(ACCEPTED, MESSAGE, TEXT, RETRY);
  await pass(7_999);
  expect(reached).toEqual([]);
});

test('each tool has the limit for itself: others that begin and end beside it do not prolong it', async () => {
  const { turn, reached } = running(ACCEPTED, tool('tool_started', 'long'));
  for (const id of ['t1', 't2', 't3', 't4', 't5']) {
    await pass(1_000);
    turn.observe(tool('tool_started', id));
    turn.observe(tool('tool_finished', id));
  }
  expect(turn.phase).toBe('tool');
  await pass(1_000);
  expect(reached).toEqual(['tool']);
});

test('the time that a client took to answer is not the time of the tool', async () => {
  const { turn, reached } = running(ACCEPTED, tool('tool_started', 't1'));
  turn.observe({ kind: 'answer_awaited', requestId: 'r1' });
  await pass(6_999);
  turn.observe({ kind: 'answer_given', requestId: 'r1' });
  await pass(5_999);
  expect(reached).toEqual([]);
  await pass(1);
  expect(reached).toEqual(['tool']);
});

test('the first cause wins, and stops the clocks', async () => {
  const { turn, reached } = running(ACCEPTED);
  expect(turn.stop(INTERRUPTED_BY_CLIENT)).toBe(true);
  expect(turn.stop(limitCause('tool', LIMITS))).toBe(false);
  expect(turn.cause).toBe(INTERRUPTED_BY_CLIENT);
  turn.observe(TEXT);
  await pass(100_000);
  expect(reached).toEqual([]);
});

test('a turn ends once, and keeps no timer', async () => {
  const { turn, reached } = running(ACCEPTED);
  const end = endBy(INTERRUPTED_BY_CLIENT);
  turn.finish(end);
  turn.finish(endBy(limitCause('tool', LIMITS)));
  turn.observe(TEXT);
  expect(await turn.ended).toBe(end);
  expect(turn.phase).toBe('ended');
  expect(vi.getTimerCount()).toBe(0);
  await pass(100_000);
  expect(reached).toEqual([]);
});

test('a look from outside acts on a limit that passed unnoticed, and only then', () => {
  const { turn, reached } = running(ACCEPTED, MESSAGE, TEXT);
  expect(turn.checkLimit()).toBe(false);
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + LIMITS.silenceMs);
  expect(turn.checkLimit()).toBe(true);
  expect(reached).toEqual(['streaming']);
});

test('a look from outside sees the limit of the whole turn too', () => {
  const { turn, reached } = running(ACCEPTED, { kind: 'answer_awaited', requestId: 'r1' });
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + LIMITS.turnMs);
  turn.observe({ kind: 'answer_given', requestId: 'r1' });
  expect(turn.checkLimit()).toBe(true);
  expect(reached).toEqual(['ended']);
});

test('every limit says which it was, how long it was and what to do', () => {
  const cause = limitCause('streaming', DEFAULT_TURN_LIMITS);
  expect(cause).toEqual({
    code: 'stream_silence_timeout',
    message:
      'The model went silent in the middle of an answer for longer than the limit. The limit was 60000 ms. Prompt again.',
  });
});

test('the time at work runs from the delivery to the end, waits for the client and for retries left out', async () => {
  const { turn } = makeTurn({ turnMs: 500_000, firstMessageMs: 10_000, silenceMs: 10_000 });
  await pass(50);
  turn.starting();
  await pass(50);
  expect(turn.activeMs).toBe(0);
  turn.delivered();
  await pass(100);
  expect(turn.activeMs).toBe(100);
  turn.observe(ACCEPTED);
  await pass(200);
  turn.observe(RETRY);
  await pass(400);
  expect(turn.activeMs).toBe(300);
  turn.observe(MESSAGE);
  turn.observe(TEXT);
  await pass(100);
  turn.observe(tool('tool_started', 't'));
  await pass(100);
  turn.observe({ kind: 'answer_awaited', requestId: 'r' });
  await pass(3_000);
  expect(turn.activeMs).toBe(500);
  turn.observe({ kind: 'answer_given', requestId: 'r' });
  await pass(25);
  turn.finish(endBy(INTERRUPTED_BY_CLIENT));
  await pass(1_000);
  expect(turn.activeMs).toBe(525);
});
