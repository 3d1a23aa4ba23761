import { describe, expect, it } from 'vitest';

import type { FeedEvent } from './session-feed.ts';
import { TurnWatch } from './turn-watch.ts';

const AT = '2026-01-01T00:00:00.000Z';
let count = 0;

function id(): string {
  count += 1;
  return `event-${count}`;
}

const prompt = (name: string): FeedEvent => ({ type: 'user.message', id: name, content: [] });
const running = (): FeedEvent => ({ type: 'session.status_running', id: id(), processed_at: AT });
const interrupt = (): FeedEvent => ({ type: 'user.interrupt', id: id(), processed_at: AT });

type Idle = Extract<FeedEvent, { type: 'session.status_idle' }>;

function idle(
  type: 'end_turn' | 'refusal' | 'retries_exhausted' | 'budget_reached' = 'end_turn',
): Idle {
  const common = { id: id(), processed_at: AT, stop_details: null };
  return { type: 'session.status_idle', ...common, stop_reason: { type } };
}

/** Of each event, whether it is of the turn of `mine`. */
function seen(watch: TurnWatch, ...events: readonly FeedEvent[]): boolean[] {
  return events.map((event) => watch.sees(event));
}

describe('the turn of a prompt', () => {
  it('begins when it runs and ends when the session rests', () => {
    const watch = new TurnWatch('mine', false);
    expect(seen(watch, prompt('mine'), running(), idle())).toEqual([false, true, true]);
    expect(watch.outcome(idle())).toEqual({ kind: 'end_turn' });
  });

  it('is not the turn that ran before it', () => {
    const watch = new TurnWatch('mine', true);
    const events = [prompt('mine'), idle(), running(), idle()];
    expect(seen(watch, ...events)).toEqual([false, false, true, true]);
  });

  it('is not the turn of a prompt that came before it and had not begun', () => {
    const watch = new TurnWatch('mine', false);
    const events = [prompt('theirs'), prompt('mine'), running(), idle(), running(), idle()];
    expect(seen(watch, ...events)).toEqual([false, false, false, false, true, true]);
  });

  it('is not the turn of one that comes behind it', () => {
    const watch = new TurnWatch('mine', false);
    expect(seen(watch, prompt('mine'), prompt('theirs'), running(), idle())[2]).toBe(true);
  });

  it('is interrupted when somebody interrupts it, also before it has begun', () => {
    const begun = new TurnWatch('mine', false);
    seen(begun, prompt('mine'), running(), interrupt());
    expect(begun.outcome(idle())).toEqual({ kind: 'interrupted' });
    const waiting = new TurnWatch('mine', false);
    expect(seen(waiting, prompt('mine'), interrupt(), idle())).toEqual([false, false, true]);
  });

  it('is not interrupted where another turn was', () => {
    const watch = new TurnWatch('mine', true);
    const events = [prompt('mine'), interrupt(), idle(), running(), idle()];
    expect(seen(watch, ...events)).toEqual([false, false, false, true, true]);
    expect(watch.outcome(idle())).toEqual({ kind: 'end_turn' });
  });

  it('ends without having run where the budget is used up, each in its order', () => {
    const alone = new TurnWatch('mine', false);
    expect(seen(alone, prompt('mine'), idle('budget_reached'))).toEqual([false, true]);
    expect(alone.outcome(idle('budget_reached'))).toEqual({ kind: 'budget_reached' });
    const behind = new TurnWatch('mine', true);
    const events = [
      prompt('theirs'),
      prompt('mine'),
      idle('budget_reached'),
      idle('budget_reached'),
      idle('budget_reached'),
    ];
    expect(seen(behind, ...events)).toEqual([false, false, false, false, true]);
  });

  it('has failed with the message of its error, and is refused with the reason of the model', () => {
    const watch = new TurnWatch('mine', false);
    const retry_status = { type: 'exhausted' } as const;
    const error = { type: 'unknown_error', message: 'No more.', retry_status } as const;
    const failure: FeedEvent = { type: 'session.error', id: id(), processed_at: AT, error };
    seen(watch, prompt('mine'), running(), failure);
    expect(watch.outcome(idle('retries_exhausted'))).toEqual({
      kind: 'failed',
      message: 'No more.',
    });
    const stop_details = { type: 'refusal', category: null, explanation: 'Not that.' } as const;
    expect(watch.outcome({ ...idle('refusal'), stop_details })).toEqual({
      kind: 'refused',
      message: 'Not that.',
    });
  });
});
