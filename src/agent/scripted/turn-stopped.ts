import type { AgentExit } from '../../contracts/agent-driver.ts';
import { errorText, RoundhouseError } from '../../errors.ts';
import type { TurnEnd } from '../../events/record.ts';

/** What the signal of a turn aborts with. */
export class TurnStopped extends Error {
  readonly how: 'interrupted' | 'exited';

  constructor(how: 'interrupted' | 'exited') {
    super(how);
    this.how = how;
  }
}

/** Never resolves; rejects with the signal's reason when it aborts. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** How a turn ends that `error` has stopped; `exit` is how its process ended, where it has. */
export function failureOf(
  error: unknown,
  exit: AgentExit | undefined,
): Pick<TurnEnd, 'reason' | 'error'> {
  if (error instanceof TurnStopped && error.how === 'interrupted') {
    return {
      reason: 'interrupted',
      error: { code: 'turn_interrupted', message: 'The turn was interrupted.' },
    };
  }
  if (error instanceof RoundhouseError)
    return { reason: 'failed', error: { code: error.code, message: error.message } };
  if (exit !== undefined) {
    return {
      reason: 'failed',
      error: {
        code: 'agent_died',
        message: `The agent process ended (${exit.reason ?? exit.signal ?? exit.code}).`,
      },
    };
  }
  return { reason: 'failed', error: { code: 'agent_failed', message: errorText(error) } };
}
