import { expect, test } from 'vitest';
import { Activity } from './activity.ts';
import type { ClientAnswer } from './awaited-answers.ts';
import { ClientWait } from './client-wait.ts';
import { Interruption } from './interruption.ts';
import type { Attachment } from './link.ts';
import { Refusal } from './refusal.ts';
import { endBy, INTERRUPTED_BY_CLIENT } from './stop-cause.ts';
import { takeUpRequest } from './take-up-turn.ts';
import type { Departure } from './turn-runner.ts';
import type { TakeUp } from '../contracts/agent-driver.ts';
import { RoundhouseError } from '../errors.ts';
import { NO_USAGE, type TurnEnd } from '../events/record.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { attachmentOf, storedTurn } from '../../test/support/turn-fixture.ts';

useFakeClock();

const DRAINING = new RoundhouseError('draining', 'The host stops.');
const NO_PROCESS = new RoundhouseError('agent_unavailable', 'It will not start.');
const COMPLETED: TurnEnd = {
  reason: 'completed',
  usage: NO_USAGE,
  modelRequests: 1,
  stopReason: 'end_turn',
};

/** A turn that has asked about calls, its wait, and what that does with the rest of the session. */
function makeWait(...calls: string[]) {
  const done: string[] = [];
  const turn = storedTurn();
  for (const eventId of calls) turn.asked.ask({ eventId, toolUseId: `of ${eventId}` });
  const activity = new Activity(() => {});
  const refusal = new Refusal();
  const world: {
    append: Promise<unknown>;
    attached: Attachment | undefined;
    released: Promise<unknown>;
    givenUp: Promise<unknown>;
  } = {
    append: Promise.resolve(),
    attached: undefined,
    released: Promise.resolve(),
    givenUp: Promise.resolve(),
  };
  /** Of the starts that are waited for, the first. */
  const starts: PromiseWithResolvers<void>[] = [];
  const note =
    (what: string) =>
    async (reason?: string): Promise<void> => {
      world.attached = undefined;
      done.push(reason === undefined ? what : `${what}: ${reason}`);
      await world.released;
    };
  const wait = new ClientWait({
    activity,
    refusal,
    journal: {
      row: { name: 'a' },
      append: async (records) => {
        done.push(`append ${records.map(({ body }) => body.type).join(', ')}`);
        await world.append;
        return [];
      },
      appendEnd: async (_turn, { reason, error }) => {
        done.push(`end ${reason}: ${error?.code}`);
      },
    },
    link: {
      get attachment() {
        return world.attached;
      },
      ensureAttached: (signal) => {
        const start = Promise.withResolvers<void>();
        starts.push(start);
        signal?.addEventListener('abort', () => start.reject(signal.reason));
        return start.promise;
      },
      giveUpTakeUp: async () => {
        done.push(`give up: ${activity.name}`);
        await world.givenUp;
      },
      release: note('release'),
      drop: note('drop'),
    },
    runner: {
      drive: async (driven, attachment): Promise<Departure> => {
        done.push(`drive ${attachment.connection.takeUp?.eventId}`);
        activity.run(driven, attachment, 'taken_up');
        return { kind: 'ended', outcome: { end: COMPLETED, usable: true } };
      },
      conclude: async (ended, _attachment, { end }) => {
        done.push('conclude');
        activity.rest(ended, 'turn_ended');
        ended.finish(end);
      },
      interrupt: (_turn, _attachment, { code }) => done.push(`interrupt: ${code}`),
    },
    onRest: () => done.push('rest'),
    onEnd: (ended, end) => ended.finish(end),
  });
  /** The start that is waited for brings this process. */
  const start = async (takeUp?: TakeUp): Promise<void> => {
    const { attachment } = attachmentOf();
    const connection = { ...attachment.connection, ...(takeUp !== undefined && { takeUp }) };
    world.attached = { ...attachment, connection };
    starts.shift()?.resolve();
    await settle();
  };
  /** Where the process is gone, and all answers are there. */
  const needsProcess = async (): Promise<void> => {
    activity.waitAlone(turn);
    await wait.answer(calls.map(allow));
    await settle();
    done.length = 0;
  };
  return { activity, done, needsProcess, refusal, start, starts, turn, wait, world };
}

function allow(toolUseEventId: string): ClientAnswer {
  const type = 'user.tool_confirmation';
  const body = { type, id: 'sevt_1', tool_use_id: toolUseEventId, result: 'allow' } as const;
  return { toolUseEventId, body };
}

function takeUpOf(eventId: string, last: boolean): TakeUp {
  const call = { toolUseId: `of ${eventId}`, toolName: 'Write', input: {} };
  return { call, eventId, decision: { behavior: 'allow' }, neverHanded: [], last };
}

test('a turn that has asked is kept as waiting, and then its process may be taken', async () => {
  const { activity, done, turn, wait } = makeWait('a');
  const { attachment } = attachmentOf();
  activity.run(turn, attachment, 'prompt');
  await wait.begin(turn, attachment);
  expect(done).toEqual(['append session.status_idle', 'rest']);
  expect(activity.awaitsClient).toBe(true);
  expect(turn.phase).toBe('awaiting-client');
});

test('a turn that is stopped while its question is being kept does not begin to wait', async () => {
  const { activity, done, turn, wait, world } = makeWait('a');
  const { attachment, process } = attachmentOf();
  const kept = Promise.withResolvers<void>();
  world.append = kept.promise;
  activity.run(turn, attachment, 'prompt');
  const begun = wait.begin(turn, attachment);
  await settle();
  const parts = { turn, process, names: () => ({}), telemetry: NO_TELEMETRY };
  activity.interrupt(turn, attachment, new Interruption(parts), 'turn_interrupted');
  kept.resolve();
  await begun;
  expect(activity.name).toBe('interrupting');
  expect(done).toEqual(['append session.status_idle']);
  activity.rest(turn);
});

test('a turn that waits is stopped in its process, while that is there', async () => {
  const { activity, done, turn, wait, world } = makeWait('a');
  const { attachment } = attachmentOf();
  world.attached = attachment;
  activity.wait(turn, attachment);
  await wait.stop(turn, INTERRUPTED_BY_CLIENT);
  expect(done).toEqual(['interrupt: turn_interrupted']);
  expect(activity.running).toBe(turn);
});

test('without a process it ends where it stands', async () => {
  const { activity, done, turn, wait } = makeWait('a');
  activity.wait(turn, attachmentOf().attachment);
  await wait.stop(turn, INTERRUPTED_BY_CLIENT);
  expect(done).toEqual(['give up: waiting', 'end interrupted: turn_interrupted']);
  expect(activity.name).toBe('resting');
  expect(turn.end).toBeDefined();
});

test('the open calls are taken up one after the other, each in a process of its own', async () => {
  const { activity, done, needsProcess, start, wait, turn } = makeWait('a', 'b');
  await needsProcess();
  expect(activity.name).toBe('taking-up');
  await start(takeUpOf('a', false));
  expect(done).toEqual(['drive a', 'release: taken_up']);
  expect(turn.asked.size).toBe(1);
  await start(takeUpOf('b', true));
  expect(done.slice(2)).toEqual(['drive b', 'conclude']);
  expect(() => wait.plan([])).toThrow(/^answers: session .* awaits none/);
});

test('a process that came for another purpose is let go, and another one is asked for', async () => {
  const { done, needsProcess, start, starts } = makeWait('a');
  await needsProcess();
  await start();
  expect(done).toEqual(['drop: of_no_use']);
  expect(starts).toHaveLength(1);
  await start(takeUpOf('a', true));
  expect(done.at(-1)).toBe('conclude');
});

test('a turn that is stopped while it needs a process ends when none can come, and runs on none', async () => {
  const { done, needsProcess, start, turn, wait, world } = makeWait('a');
  await needsProcess();
  const givenUp = Promise.withResolvers<void>();
  world.givenUp = givenUp.promise;
  turn.stop(INTERRUPTED_BY_CLIENT);
  const stopped = wait.stop(turn, INTERRUPTED_BY_CLIENT);
  await start(takeUpOf('a', true));
  expect(done).toEqual(['give up: waiting']);
  givenUp.resolve();
  await stopped;
  expect(done).toEqual(['give up: waiting', 'end interrupted: turn_interrupted']);
});

test('a turn that is stopped between two processes asks for no further one, and leaves what comes then alone', async () => {
  const { activity, done, needsProcess, start, starts, turn, wait, world } = makeWait('a', 'b');
  await needsProcess();
  const released = Promise.withResolvers<void>();
  world.released = released.promise;
  await start(takeUpOf('a', false));
  expect(done.at(-1)).toBe('release: taken_up');
  turn.stop(INTERRUPTED_BY_CLIENT);
  await wait.stop(turn, INTERRUPTED_BY_CLIENT);
  expect(turn.end).toMatchObject({ reason: 'interrupted' });
  released.resolve();
  await settle();
  expect(starts).toHaveLength(0);
  expect(activity.name).toBe('resting');
});

test('nothing is handed over, nor written, for a turn that is stopped while its open calls are looked for', async () => {
  const { turn } = makeWait('a');
  turn.asked.take([allow('a').body]);
  const { call } = takeUpOf('a', true);
  const written: unknown[] = [];
  const append = async (records: readonly unknown[]) => {
    written.push(...records);
    return [];
  };
  const request = takeUpRequest(turn, { append });
  expect(await request.choose([call])).toMatchObject({ eventId: 'a' });
  expect(written).toHaveLength(1);
  turn.stop(INTERRUPTED_BY_CLIENT);
  await expect(request.choose([call])).rejects.toThrow('stopped');
  expect(written).toHaveLength(1);
});

test('a turn for which no process can be had ends with the reason', async () => {
  const { done, needsProcess, starts, turn } = makeWait('a');
  await needsProcess();
  starts[0]?.reject(NO_PROCESS);
  await settle();
  expect(done).toEqual(['give up: waiting', 'end failed: agent_unavailable']);
  expect(turn.end).toMatchObject({ reason: 'failed' });
});

test('in a shutdown it stays in the store as it is, for the next host', async () => {
  const { done, needsProcess, refusal, starts, turn } = makeWait('a');
  await needsProcess();
  refusal.begin(DRAINING);
  starts[0]?.reject(DRAINING);
  await settle();
  expect(done).toEqual([]);
  expect(turn.end).toBeUndefined();
  turn.finish(endBy(DRAINING));
});
