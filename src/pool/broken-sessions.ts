import { asRoundhouseError, errorText, RoundhouseError } from '../errors.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

type Repair = () => Promise<void>;

/**
 * Sessions that an earlier host left behind and that could not be put in order at the start. Nobody is given one before
 * that has been made up for, so that nothing is built on a log or a transcript that lacks something.
 */
export class BrokenSessions {
  readonly #telemetry: Telemetry;
  readonly #repairs = new Map<string, Repair[]>();

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  get size(): number {
    return this.#repairs.size;
  }

  /** Does something for a session. False when it failed: then `again` is due before the session is given out. Never rejects. */
  async attempt(sessionId: string, work: Repair, again: Repair = work): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const due = this.#repairs.get(sessionId) ?? [];
      this.#repairs.set(sessionId, [...due, again]);
      const { code } = asRoundhouseError(error, 'storage_failed');
      this.#telemetry.log.error('pool_session_broken', {
        id: sessionId,
        code,
        error: errorText(error),
      });
      this.#telemetry.metrics.count('roundhouse_sessions_broken_total', { code });
      return false;
    }
  }

  /** Makes up for what failed, in its order. `storage_failed` when it fails again; the session is not to be given out then. */
  async mend(sessionId: string): Promise<void> {
    for (let due = this.#repairs.get(sessionId); due !== undefined;) {
      const [first, ...rest] = due;
      if (first === undefined) {
        this.#repairs.delete(sessionId);
        this.#telemetry.log.info('pool_session_mended', { id: sessionId });
        return;
      }
      try {
        await first();
      } catch (error) {
        throw new RoundhouseError(
          'storage_failed',
          `Session ${sessionId} was left in disorder by an earlier server and can't be put in order (${errorText(error)}). Retry, or delete it.`,
          { cause: error },
        );
      }
      this.#repairs.set(sessionId, rest);
      due = rest;
    }
  }

  /** The session has been deleted, so nothing is due any more. */
  forget(sessionId: string): void {
    this.#repairs.delete(sessionId);
  }
}
