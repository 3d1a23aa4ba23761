import { expect, test } from 'vitest';
import type { Activity } from './activity.ts';
import type { Attachment } from './link.ts';
import { WITHDRAWN, type StopCause } from './stop-cause.ts';
import { TurnQueue } from './turn-queue.ts';
import type { Turn } from './turn.ts';
import { RoundhouseError } from '../errors.ts';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { attachmentOf, storedTurn, unstoredTurn } from '../../test/support/turn-fixture.ts';

useFakeClock();

const SPENT: StopCause = { code: 'budget_reached', message: 'Nothing is left.' };
const DRAINING = new RoundhouseError('draining', 'The host stops.');

/** A queue, and what it asks of the rest of the session. A start is over when the test says so. */
function makeQueue() {
  const done: string[] = [];
  const turns: Turn[] = [];
  const nameOf = (turn: Turn): string => `${turns.indexOf(turn)}`;
  const start = Promise.withResolvers<void>();
  const world: {
    activity: Pick<Activity, 'name' | 'running'>;
    attachment: Attachment | undefined;
    refusal: RoundhouseError | undefined;
    recycles: boolean;
    stops: StopCause | undefined;
  } = {
    activity: { name: 'resting', running: undefined },
    attachment: undefined,
    refusal: undefined,
    recycles: false,
    stops: undefined,
  };
  const queue = new TurnQueue({
    activity: {
      get name() {
        return world.activity.name;
      },
      get running() {
        return world.activity.running;
      },
    },
    journal: {
      appendEnd: async (turn, { error }, rests) => {
        done.push(`end ${nameOf(turn)}: ${error?.code}${rests ? '' : ', another runs'}`);
      },
    },
    link: {
      get attachment() {
        return world.attachment;
      },
      get status() {
        return world.attachment === undefined ? 'disconnected' : 'attached';
      },
      ensureAttached: (signal) => {
        done.push('start');
        signal?.addEventListener('abort', () => done.push('no wait'));
        return start.promise;
      },
      giveUpUnneeded: () => done.push('give up'),
      release: async (reason) => {
        done.push(`release: ${reason}`);
      },
    },
    refusal: {
      get error() {
        return world.refusal;
      },
    },
    budget: { stops: async () => world.stops },
    recycle: () => world.recycles,
    run: (turn) => done.push(`run ${nameOf(turn)}`),
    onEnd: (turn, end) => turn.finish(end),
  });
  const add = (turn = storedTurn()): Turn => {
    turns.push(turn);
    queue.add(turn);
    return turn;
  };
  const advance = async (): Promise<void> => {
    queue.advance();
    await settle();
  };
  return { add, advance, done, queue, start, world };
}

test('the first prompt takes the process that is there, and leaves the queue', async () => {
  const { add, advance, done, queue, world } = makeQueue();
  world.attachment = attachmentOf().attachment;
  add();
  const second = add();
  await advance();
  expect(done).toEqual(['run 0']);
  expect(queue.first).toBe(second);
});

test('without a process one start is asked for, however often the queue advances', async () => {
  const { add, advance, done, start, world } = makeQueue();
  const turn = add();
  await advance();
  await advance();
  expect(done).toEqual(['start']);
  expect(turn.phase).toBe('starting');
  world.attachment = attachmentOf().attachment;
  start.resolve();
  await settle();
  expect(done).toEqual(['start', 'run 0']);
});

test('a start that fails ends the prompt that it was for', async () => {
  const { add, advance, done, start } = makeQueue();
  const turn = add();
  await advance();
  start.reject(new RoundhouseError('agent_unavailable', 'It will not start.'));
  await settle();
  expect(done).toContain('end 0: agent_unavailable');
  expect(turn.end).toMatchObject({ reason: 'failed', error: { code: 'agent_unavailable' } });
});

test('who is withdrawn waits for no start any more, and nobody else is', async () => {
  const { add, advance, done, queue } = makeQueue();
  const first = add();
  await advance();
  await queue.endUndelivered(add(), WITHDRAWN);
  expect(done).not.toContain('no wait');
  await queue.endUndelivered(first, WITHDRAWN);
  expect(done.slice(-3)).toEqual(['no wait', 'give up', 'end 0: turn_cancelled']);
});

test('a start that a shutdown ends leaves the prompt in the store', async () => {
  const { add, advance, done, queue, start, world } = makeQueue();
  add();
  await advance();
  world.refusal = DRAINING;
  start.reject(DRAINING);
  await settle();
  expect(done).toEqual(['start']);
  expect(queue.length).toBe(1);
});

test('no process is asked for by a prompt that the budget stops', async () => {
  const { add, advance, done, world } = makeQueue();
  world.stops = SPENT;
  const turn = add();
  await advance();
  expect(done).toEqual(['give up', 'end 0: budget_reached']);
  expect(turn.end).toMatchObject({ reason: 'failed' });
});

test('in a shutdown a prompt that the budget stops stays in the store, for the next host', async () => {
  const { add, advance, done, queue, world } = makeQueue();
  world.stops = SPENT;
  add();
  queue.advance();
  world.refusal = DRAINING;
  await advance();
  expect(done).toEqual([]);
  expect(queue.length).toBe(1);
});

test('nothing moves before the record has a number, after a stop, while another turn is on its way, or in a shutdown', async () => {
  const { add, advance, done, queue, world } = makeQueue();
  world.attachment = attachmentOf().attachment;
  const turn = add(unstoredTurn());
  await advance();
  turn.recorded(1);
  world.activity = { name: 'waiting', running: undefined };
  await advance();
  world.activity = { name: 'resting', running: undefined };
  world.refusal = DRAINING;
  await advance();
  world.refusal = undefined;
  turn.stop(WITHDRAWN);
  await advance();
  expect(done).toEqual([]);
  expect(queue.length).toBe(1);
});

test('a process with other options, or one that is taken for its age, is waited out', async () => {
  const { add, advance, done, world } = makeQueue();
  const other = attachmentOf({ effort: 'low' }).attachment;
  world.attachment = other;
  add();
  await advance();
  expect(done).toEqual(['release: options_changed']);
  const { attachment } = attachmentOf();
  world.attachment = attachment;
  world.recycles = true;
  attachment.turns = 1;
  await advance();
  expect(done).toHaveLength(1);
  attachment.turns = 0;
  await advance();
  expect(done.at(-1)).toBe('run 0');
});

test('a prompt that is withdrawn ends once, and leaves the status to the turn that runs', async () => {
  const { add, done, queue, world } = makeQueue();
  world.activity = { name: 'active', running: storedTurn() };
  const turn = add();
  await Promise.all([queue.endUndelivered(turn, WITHDRAWN), queue.endUndelivered(turn, SPENT)]);
  expect(done).toEqual(['give up', 'end 0: turn_cancelled, another runs']);
  expect(turn.end).toMatchObject({ reason: 'cancelled' });
});

test('at the end of the host prompts end for their readers, and stay in the store', async () => {
  const { add, done, queue } = makeQueue();
  const turns = [add(), add()];
  queue.endInMemory(DRAINING);
  expect(turns.map(({ end }) => end?.error?.code)).toEqual(['draining', 'draining']);
  expect(queue.length).toBe(0);
  expect(done).toEqual([]);
});
