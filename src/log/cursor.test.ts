import { expect, test } from 'vitest';
import { Cursor } from './cursor.ts';
import { TurnItems } from '../dialects/testing/log-items.ts';

const one = new TurnItems('turn_1');

test('what a reader has seen is not its own any more, previews always are', () => {
  const cursor = new Cursor(0, undefined);
  const [prompt, delivered, start] = [one.user('a'), one.delivered(), one.messageStart('m')];
  expect(cursor.pass([prompt, delivered])).toEqual([prompt, delivered]);
  expect(cursor.pass([prompt, delivered, start])).toEqual([start]);
  expect(cursor.seen).toBe(2);
});

test('the reader of a turn gets nothing of another, and nothing behind the end of its own', () => {
  const other = new TurnItems('turn_b', 'sesn_test', 1);
  const mine = new TurnItems('turn_a', 'sesn_test', 2);
  const items = [other.end(), other.messageStart('m'), mine.messageStart('m'), mine.end()];
  const cursor = new Cursor(0, 'turn_a');
  expect(cursor.pass([...items, mine.messageStart('late')])).toEqual(items.slice(2));
  expect(cursor.ended).toBe(true);
});

test('a reader of everything passes the ends of turns, and a gap moves it', () => {
  const cursor = new Cursor(0, undefined);
  const late = new TurnItems('turn_1', 'sesn_test', 4);
  const items = [{ gap: { from: 1, to: 3 } }, late.end(), late.messageStart('m')];
  expect(cursor.pass(items)).toEqual(items);
  expect(cursor.ended).toBe(false);
  expect(cursor.seen).toBe(4);
});
