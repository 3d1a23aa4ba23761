import { expect, test, vi } from 'vitest';
import { Activity } from './activity.ts';
import { Interruption } from './interruption.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { attachmentOf, storedTurn } from '../../test/support/turn-fixture.ts';

useFakeClock();

function makeActivity() {
  const changes: string[] = [];
  const activity = new Activity((reason) => changes.push(`${activity.name}: ${reason}`));
  const turn = storedTurn();
  const { attachment, process } = attachmentOf();
  const interruption = new Interruption({
    turn,
    process,
    names: () => ({}),
    telemetry: NO_TELEMETRY,
  });
  return { activity, attachment, changes, interruption, process, turn };
}

/** Which of its questions have the turn as their answer. */
function seenAs(activity: Activity): string[] {
  const { current, latest, running, suspended, uninterrupted } = activity;
  const answers = Object.entries({ current, latest, running, suspended, uninterrupted });
  return answers.flatMap(([question, turn]) => (turn === undefined ? [] : question));
}

test('each state says where the turn is, and whether only its client is waited for', () => {
  const { activity, attachment, interruption, turn } = makeActivity();
  expect(seenAs(activity)).toEqual([]);
  activity.run(turn, attachment, 'prompt');
  expect(seenAs(activity)).toEqual(['current', 'latest', 'running', 'uninterrupted']);
  activity.wait(turn, attachment);
  expect(seenAs(activity)).toEqual(['current', 'latest', 'suspended', 'uninterrupted']);
  expect(activity.awaitsClient).toBe(true);
  activity.waitAlone(turn);
  expect(activity.awaitsClient).toBe(true);
  activity.takeUp(turn);
  expect(seenAs(activity)).toEqual(['current', 'latest', 'suspended', 'uninterrupted']);
  expect(activity.awaitsClient).toBe(false);
  activity.run(turn, attachment, 'taken_up');
  activity.interrupt(turn, attachment, interruption, 'turn_interrupted');
  expect(seenAs(activity)).toEqual(['current', 'latest', 'running']);
  expect(activity.interruption).toBe(interruption);
  activity.rest(turn, 'turn_ended');
  expect(seenAs(activity)).toEqual(['latest']);
  activity.forget();
  expect(seenAs(activity)).toEqual([]);
});

test('a change is told, unless the process goes with it: then the link tells', () => {
  const { activity, attachment, changes, interruption, turn } = makeActivity();
  activity.run(turn, attachment, 'prompt');
  activity.wait(turn, attachment);
  activity.run(turn, attachment, 'stopped');
  activity.interrupt(turn, attachment, interruption, 'turn_interrupted');
  activity.rest(turn, 'turn_ended');
  expect(changes).toEqual([
    'active: prompt',
    'waiting: answers_awaited',
    'active: stopped',
    'interrupting: turn_interrupted',
    'resting: turn_ended',
  ]);
  activity.waitAlone(turn);
  activity.takeUp(turn);
  activity.rest(turn);
  activity.forget();
  expect(changes).toHaveLength(5);
});

test('the deadline of an interrupt has no more say when the turn is over', async () => {
  const { activity, attachment, interruption, process, turn } = makeActivity();
  const destroy = vi.spyOn(process, 'destroy');
  activity.run(turn, attachment, 'prompt');
  activity.interrupt(turn, attachment, interruption, 'turn_interrupted');
  activity.rest(turn, 'turn_ended');
  await pass(turn.limits.interruptMs);
  expect(destroy).not.toHaveBeenCalled();
});

test('only the turn that is over is forgotten', () => {
  const { activity, attachment, turn } = makeActivity();
  activity.run(turn, attachment, 'prompt');
  activity.forget();
  expect(activity.latest).toBe(turn);
});

test('it rests since the last turn ended, began to wait, or the process came', async () => {
  const { activity, attachment, turn } = makeActivity();
  const start = activity.restingSinceMs;
  await pass(100);
  activity.run(turn, attachment, 'prompt');
  expect(activity.restingSinceMs).toBe(start);
  activity.wait(turn, attachment);
  expect(activity.restingSinceMs).toBe(start + 100);
  await pass(100);
  activity.waitAlone(turn);
  expect(activity.restingSinceMs).toBe(start + 100);
  activity.rest(turn, 'turn_ended');
  expect(activity.restingSinceMs).toBe(start + 200);
  await pass(100);
  activity.attached();
  expect(activity.restingSinceMs).toBe(start + 300);
});
