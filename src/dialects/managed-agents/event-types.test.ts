import { expect, test } from 'vitest';
import { docTable } from '../testing/doc-table.ts';
import { EVENT_TYPES, LISTED_TYPES, type EventTypeRule } from './event-types.ts';
import { parseSendEvents } from './send-events.ts';
import { RoundhouseError } from '../../errors.ts';

const DOC = new URL('../../../docs/managed-agents.md', import.meta.url);
const RULES = Object.entries<EventTypeRule>(EVENT_TYPES);

test('the table of types is the same in docs/managed-agents.md', () => {
  const expected = RULES.map(([type, { sent = '–', shown, note }]) => [
    `\`${type}\``,
    sent,
    shown,
    note,
  ]);
  expect(docTable(DOC, '## Types of events')).toEqual(expected);
});

/** How a type fares that is sent with no other field. */
function refusalOf(type: string): string {
  try {
    parseSendEvents({ events: [{ type }] });
    return 'taken';
  } catch (error) {
    return error instanceof RoundhouseError ? error.code : 'unknown';
  }
}

test.each(RULES)('%s is read from clients as the table says', (type, { sent }) => {
  // What is taken lacks its fields here, but for the interrupt, which has none; what no client sends is no type.
  const whole = type === 'user.interrupt' ? 'taken' : 'invalid_request';
  expect(refusalOf(type)).toBe(sent === 'refused' ? 'unsupported_field' : whole);
});

test('a list can be narrowed to every type but those of streams alone', () => {
  expect(LISTED_TYPES).toEqual(
    RULES.flatMap(([type, { shown }]) => (shown === 'streams' ? [] : type)),
  );
});
