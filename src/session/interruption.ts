import type { InterruptFailure, Turn } from './turn.ts';
import type { AgentProcess } from '../contracts/agent-driver.ts';
import { errorText } from '../errors.ts';
import type { LogFields, Telemetry } from '../telemetry/telemetry.ts';
import { unlessAborted, withinDeadline } from '../time/deadline.ts';
import { after, type Timer } from '../time/timers.ts';

export interface InterruptionParts {
  readonly turn: Turn;
  /** The process that runs the turn. */
  readonly process: AgentProcess;
  /** What the session is called in the log. */
  readonly names: () => LogFields;
  readonly telemetry: Telemetry;
}

/**
 * One interrupt of a running turn. The process is asked to end the turn; where it can't be asked, or the turn has not ended
 * `interruptMs` after the interruption was made, the process is destroyed, which ends the turn too.
 */
export class Interruption {
  readonly #parts: InterruptionParts;
  readonly #deadline: Timer;

  constructor(parts: InterruptionParts) {
    this.#parts = parts;
    const { interruptMs } = parts.turn.limits;
    this.#deadline = after(interruptMs, () =>
      this.#fail(
        { error: `not over within ${interruptMs} ms`, errorType: 'Timeout' },
        'interrupt timed out',
      ),
    );
  }

  /** Asks the process. To be called once. */
  begin(): void {
    this.#parts.process.interrupt().catch((error: unknown) => {
      const errorType = error instanceof Error ? error.name : typeof error;
      this.#fail({ error: errorText(error), errorType }, 'interrupt failed');
    });
  }

  /** The turn is over: the deadline has no more say. */
  over(): void {
    this.#deadline.cancel();
  }

  /**
   * Waits at most `timeoutMs` for the turn to end. False when it has not by then, or did only because its process was
   * destroyed. Aborting `signal` gives up the wait.
   */
  async wait(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const { turn } = this.#parts;
    const { timedOut } = await withinDeadline(unlessAborted(turn.ended, signal), timeoutMs);
    return !timedOut && turn.interruptFailure === undefined;
  }

  /** Destroys the process now. Resolves when the turn has ended. */
  async abandon(signal?: AbortSignal): Promise<void> {
    const { turn, process } = this.#parts;
    void process.destroy('interrupt timed out');
    await unlessAborted(turn.ended, signal);
  }

  #fail(failure: InterruptFailure, reason: string): void {
    const { turn, process, names, telemetry } = this.#parts;
    turn.interruptFailed(failure);
    const { interruptMs } = turn.limits;
    telemetry.log.warn('session_interrupt_failed', { ...names(), ...failure, interruptMs });
    void process.destroy(reason);
  }
}
