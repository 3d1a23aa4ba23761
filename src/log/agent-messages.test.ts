import { describe, expect, test } from 'vitest';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { AgentMessages, type WatchedMessage } from './agent-messages.ts';

useFakeClock();

const never = new AbortController().signal;
const said = (text: string) => ({ type: 'said', json: JSON.stringify(text) });

/** Takes what waits for a reader. */
async function next(
  batches: AsyncGenerator<readonly WatchedMessage[]>,
): Promise<readonly WatchedMessage[] | undefined> {
  const { value, done } = await batches.next();
  return done === true ? undefined : value;
}

describe('what agents say', () => {
  test('goes to all who follow that session, and to nobody else', async () => {
    const messages = new AgentMessages();
    const taken = ['a', 'a'].map((id) => next(messages.follow(id, never)));
    const elsewhere = next(messages.follow('b', never));
    messages.show('a', said('hello'));
    messages.show('a', said('again'));
    const expected = [{ message: said('hello') }, { message: said('again') }];
    expect(await Promise.all(taken)).toEqual([expected, expected]);
    messages.show('b', said('there'));
    expect(await elsewhere).toEqual([{ message: said('there') }]);
  });

  test('need not be made ready where nobody looks', async () => {
    const messages = new AgentMessages();
    const leave = new AbortController();
    expect(messages.watches('a')).toBe(false);
    const reading = messages.follow('a', leave.signal).next();
    const other = messages.follow('a', never);
    const otherReading = other.next();
    expect([messages.watches('a'), messages.watches('b')]).toEqual([true, false]);
    leave.abort();
    expect((await reading).done).toBe(true);
    expect(messages.watches('a')).toBe(true);
    messages.show('a', said('x'));
    await otherReading;
    await other.return(undefined);
    expect(messages.watches('a')).toBe(false);
  });

  test('is left out for a reader that does not drain, who is told how much, in its place', async () => {
    const messages = new AgentMessages();
    const batches = messages.follow('a', never);
    const first = next(batches);
    messages.show('a', said('first'));
    await first;
    const large = said('x'.repeat(400_000));
    for (let count = 0; count < 5; count += 1) messages.show('a', large);
    messages.show('a', said('small'));
    messages.show('a', said('y'.repeat(2_000_000)));
    expect(await next(batches)).toEqual([
      { message: large },
      { message: large },
      { missed: 3 },
      { message: said('small') },
      { missed: 1 },
    ]);
    const later = next(batches);
    messages.show('a', said('later'));
    expect(await later).toEqual([{ message: said('later') }]);
  });

  test('ends for all when the server does', async () => {
    const messages = new AgentMessages();
    const reading = messages.follow('a', never).next();
    await settle();
    messages.close();
    expect((await reading).done).toBe(true);
    expect((await messages.follow('a', never).next()).done).toBe(true);
    expect(messages.watches('a')).toBe(false);
  });
});
