import { expect, test } from 'vitest';

import { endBy } from './stop-cause.ts';
import { endRecords } from './turn-records.ts';
import type { ErrorCode } from '../errors.ts';
import { NO_USAGE, type TurnEnd } from '../events/record.ts';

function failed(code: ErrorCode): TurnEnd {
  return endBy({ code, message: 'It failed.' });
}

const ENDED = { usage: NO_USAGE, modelRequests: 1, stopReason: 'end_turn' } as const;

/** The events of an end, in short. */
function wire(end: TurnEnd, rests = true): unknown[] {
  return endRecords('turn_1', end, rests).map(({ body }) => {
    if (body.type === 'session.error') return [body.error.type, body.error.retry_status.type];
    return body.type === 'session.status_idle' ? body.stop_reason.type : body.type;
  });
}

test.each<[TurnEnd, unknown[]]>([
  [{ ...ENDED, reason: 'completed' }, ['end_turn']],
  [{ ...ENDED, reason: 'max_tokens' }, ['end_turn']],
  [{ ...ENDED, reason: 'refusal' }, ['refusal']],
  [
    { ...ENDED, reason: 'max_turns' },
    [['tool_use_limit_reached_error', 'exhausted'], 'retries_exhausted'],
  ],
  [failed('upstream_overloaded'), [['model_overloaded_error', 'exhausted'], 'retries_exhausted']],
  [
    failed('upstream_rate_limited'),
    [['model_rate_limited_error', 'exhausted'], 'retries_exhausted'],
  ],
  [
    failed('upstream_authentication'),
    [['model_request_failed_error', 'exhausted'], 'retries_exhausted'],
  ],
  [failed('agent_died'), [['unknown_error', 'exhausted'], 'retries_exhausted']],
  [{ ...failed('turn_interrupted'), reason: 'interrupted' }, ['end_turn']],
  [{ ...failed('turn_cancelled'), reason: 'cancelled' }, ['end_turn']],
])('an end tells what it means in the words of the API: %j', (end, expected) => {
  expect(wire(end)).toEqual(expected);
});

test('the last record carries the end, and only that one', () => {
  const end = failed('agent_died');
  const ends = endRecords('turn_1', end, true).map(({ detail }) => detail.turnEnd);
  expect(ends).toEqual([undefined, end]);
});

test('a prompt that is withdrawn from behind a running turn does not make the session idle', () => {
  const end: TurnEnd = { ...failed('turn_cancelled'), reason: 'cancelled' };
  const records = endRecords('turn_1', end, false);
  expect(records.map(({ body }) => body.type)).toEqual(['session.error']);
  expect(records[0]?.detail.turnEnd).toEqual(end);
});
