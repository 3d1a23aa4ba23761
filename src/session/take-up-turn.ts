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
 * own, the last of which goes on behind it. Rejects when no process can be had, and then the turn has not ended; also when
 * `stopped` aborts before a process goes on.
 */
export async function takeUpTurn(
  turn: Turn,
  { activity, link, runner }: TakeUpTurnParts,
  stopped: AbortSignal,
): Promise<void> {
  for (;;) {
    // From here on the turn may have ended, and another one may have begun: whatever stands there is not this one's.
    stopped.throwIfAborted();
    activity.takeUp(turn);
    turn.cost.leaveBehind();
    turn.answered('starting');
    await link.ensureAttached(stopped);
    stopped.throwIfAborted();
    const { attachment } = link;
    if (attachment === undefined) continue;
    const { takeUp } = attachment.connection;
    // Nobody gives such a session another process; one that it had for another purpose is of no use.
    if (takeUp === undefined) {
      await link.drop('of_no_use', false);
      continue;
    }
    turn.takenUp(takeUp.call.toolUseId);
    const departure = await runner.drive(turn, attachment, 'taken_up', driveTakeUp);
    if (departure.kind === 'left') return;
    const { outcome } = departure;
    const goesOn = !takeUp.last && outcome.end.reason === 'completed' && turn.cause === undefined;
    if (!goesOn) {
      await runner.conclude(turn, attachment, outcome);
      return;
    }
    turn.asked.finishTakenUp(takeUp);
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
      // Its end may be written: nothing of it may come behind that.
      if (turn.cause !== undefined)
        throw new RoundhouseError('turn_cancelled', 'The turn was stopped.');
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
