import { describe, expect, test } from 'vitest';

import type { TurnEnd } from '../../events/record.ts';
import { NO_USAGE } from '../../events/record.ts';
import { drained } from './fixtures/recorded.ts';
import { AgentTurn } from './turn.ts';

const END: TurnEnd = { reason: 'completed', usage: NO_USAGE, modelRequests: 1, stopReason: null };

describe('a turn', () => {
  test('has one end, whatever is said afterwards', async () => {
    const turn = new AgentTurn('p');
    turn.accept();
    turn.end(END, true);
    turn.end({ ...END, reason: 'refusal' }, false);
    turn.push({ kind: 'activity' });
    turn.accept();
    expect(await drained(turn)).toEqual([
      { kind: 'accepted' },
      { kind: 'ended', end: END, processUsable: true },
    ]);
  });

  test('hands all outputs of a tick to a reader that waits, and keeps them for one that comes late', async () => {
    const turn = new AgentTurn('p');
    const first = turn.next();
    await Promise.resolve();
    turn.accept();
    await Promise.resolve();
    turn.push({ kind: 'activity' });
    expect((await first).value).toEqual([{ kind: 'accepted' }, { kind: 'activity' }]);
    turn.push({ kind: 'activity' });
    turn.push({ kind: 'activity' });
    expect((await turn.next()).value).toEqual([{ kind: 'activity' }, { kind: 'activity' }]);
  });

  test('goes on when its reader leaves, and keeps nothing for it', async () => {
    const turn = new AgentTurn('p');
    turn.accept();
    await turn.return();
    turn.push({ kind: 'activity' });
    expect(turn.ended).toBe(false);
    turn.end(END, true);
    await turn.finished;
    expect(await turn.next()).toEqual({ value: undefined, done: true });
  });

  test('lets nobody wait for a prompt that was never taken', async () => {
    const turn = new AgentTurn('p');
    turn.end(END, false);
    await turn.taken;
    expect(turn.running).toBe(false);
  });
});
