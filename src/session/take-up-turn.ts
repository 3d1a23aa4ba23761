import type { Activity } from './activity.ts';
import type { TakeUpRequest } from './connector.ts';
import type { Journal } from './journal.ts';
import type { SessionLink } from './link.ts';
import { driveTakeUp } from './turn-driver.ts';
import { takenUpRecord } from './turn-records.ts';
import type { TurnRunner } from './turn-runner.ts';
import type { Turn } from './turn.ts';
import { ERROR_KINDS, RoundhouseError } from '../errors.ts';

export interface TakeUpTurnParts {
  readonly activity: Activity;
  readonly link: Pick<SessionLink, 'attachment' | 'drop' | 'ensureAttached' | 'release'>;
  readonly runner: Pick<TurnRunner, 'conclude' | 'drive'>;
}

/**
 * Goes on with a turn that has its answers, in new processes: the open calls one after the other, each in a process of its
 * own, the last of which goes on behind it. Rejects when no process can be had, and then the turn has not ended.
 */
export async function takeUpTurn(
  turn: Turn,
  { activity, link, runner }: TakeUpTurnParts,
): Promise<void> {
  const over = new AbortController();
  void turn.ended.then(() => over.abort(new Error('The turn has ended.')));
  for (;;) {
    activity.takeUp(turn);
    turn.cost.leaveBehind();
    turn.answered('starting');
    await link.ensureAttached(over.signal);
    const { attachment } = link;
    if (attachment === undefined) continue;
    const { takeUp } = attachment.connection;
    // Nobody gives such a session another process; one that it had for another purpose is of no use.
    if (takeUp === undefined || turn.cause !== undefined) {
      await link.drop('of_no_use', false);
      if (turn.cause !== undefined) return;
      continue;
    }
    turn.takenUp(takeUp.call.toolUseId);
    const outcome = await runner.drive(turn, attachment, 'taken_up', driveTakeUp);
    if (outcome === undefined) return;
    const goesOn = !takeUp.last && outcome.end.reason === 'completed' && turn.cause === undefined;
    if (!goesOn) {
      await runner.conclude(turn, attachment, outcome);
      return;
    }
    turn.asked.finish(takeUp.eventId);
    activity.takeUp(turn);
    await link.release('taken_up');
  }
}

/** What a process is started with that goes on with the turn. */
export function takeUpRequest(turn: Turn, journal: Pick<Journal, 'append'>): TakeUpRequest {
  const { asked, model } = turn;
  return {
    neverHanded: asked.neverHanded,
    choose: async (open) => {
      const chosen = asked.takeUp(open, turn.agentOptions);
      if (chosen === undefined) throw interruptedByCrash();
      if (chosen.handed.length > 0) {
        asked.hand(chosen.handed);
        await journal.append([takenUpRecord(turn.id, chosen.handed)]);
      }
      return { ...chosen.takeUp, ...(model !== undefined && { model }) };
    },
  };
}

function interruptedByCrash(): RoundhouseError {
  const { when, next } = ERROR_KINDS.interrupted_by_crash;
  return new RoundhouseError('interrupted_by_crash', `${when} ${next}`);
}
