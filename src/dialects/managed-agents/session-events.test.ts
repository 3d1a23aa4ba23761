import { expect, test } from 'vitest';
import { TurnItems } from '../testing/log-items.ts';
import { toSessionEvent, turnsToLookUp } from './session-events.ts';
import type { EventDetail, EventRecord, SessionEvent } from '../../events/record.ts';

const AT = '2026-11-22T10:00:00.000Z';
const NONE: ReadonlyMap<string, string> = new Map();

function record(body: SessionEvent, detail: EventDetail = {}): EventRecord {
  return new TurnItems('turn_1').record(body, detail).record;
}

const PROMPT: SessionEvent = {
  type: 'user.message',
  id: 'sevt_1',
  content: [{ type: 'text', text: 'a' }],
};
const SYSTEM: SessionEvent = {
  type: 'system.message',
  id: 'sevt_2',
  content: [{ type: 'text', text: 'b' }],
};

test.each([PROMPT, SYSTEM])('what is sent waits until its turn is taken up: $type', (body) => {
  expect(toSessionEvent(record(body), NONE)).toEqual({ ...body, processed_at: null });
  const other = new Map([['turn_2', AT]]);
  expect(toSessionEvent(record(body), other)).toMatchObject({ processed_at: null });
  const taken = new Map([['turn_1', AT]]);
  expect(toSessionEvent(record(body), taken)).toMatchObject({ processed_at: AT });
});

test('only what is sent asks when its turn was taken up', () => {
  const items = new TurnItems('turn_1');
  const running: SessionEvent = { type: 'session.status_running', id: 'sevt_3', processed_at: AT };
  const other = new TurnItems('turn_2').record(SYSTEM).record;
  const records = [record(PROMPT), record(SYSTEM), items.record(running).record, other];
  expect(turnsToLookUp(records)).toEqual(['turn_1', 'turn_2']);
  expect(turnsToLookUp([items.record(running).record])).toEqual([]);
});

test('thinking is shown without its text', () => {
  const body: SessionEvent = { type: 'agent.thinking', id: 'sevt_1', processed_at: AT };
  expect(toSessionEvent(record(body, { thinking: 'secret' }), NONE)).toEqual(body);
});

test('a call is shown in the words of the API, and everything else of it as it is', () => {
  const body: SessionEvent = {
    type: 'agent.tool_use',
    id: 'sevt_1',
    processed_at: AT,
    name: 'Bash',
    input: { command: 'ls', timeout: 1 },
    evaluated_permission: 'ask',
  };
  expect(toSessionEvent(record(body), NONE)).toEqual({
    ...body,
    name: 'bash',
    input: { command: 'ls', timeout_ms: 1 },
  });
});

test("a subagent's own steps are not shown", () => {
  const body: SessionEvent = {
    type: 'agent.tool_use',
    id: 'sevt_1',
    processed_at: AT,
    name: 'Bash',
    input: {},
  };
  expect(toSessionEvent(record(body, { parentToolUseId: 'tu_1' }), NONE)).toBeUndefined();
});

test('that a turn goes on is shown once, also when a further process takes it up', () => {
  const body: SessionEvent = { type: 'session.status_running', id: 'sevt_1', processed_at: AT };
  expect(toSessionEvent(record(body, { handed: ['sevt_0'] }), NONE)).toEqual(body);
  expect(toSessionEvent(record(body, { handed: ['sevt_0'], takenUp: true }), NONE)).toBeUndefined();
});
