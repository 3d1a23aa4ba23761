import { RoundhouseError } from '../errors.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { monotonicMs } from '../time/clock.ts';
import { after, sleep, type Timer } from '../time/timers.ts';

export interface DeathWatchParts {
  /** Deaths within the period from which on the pool is degraded; 0 switches the rule off. */
  readonly maxDeaths: number;
  readonly deathsPeriodMs: number;
  readonly telemetry: Telemetry;
}

/**
 * The supervisor's rule: when agent processes die by themselves too often, the pool says so and starts slowly, so that
 * processes never die faster than the rule allows. It recovers by itself, when no more than half as many deaths are left in
 * the period: at the same bound it would go back and forth.
 */
export class DeathWatch {
  readonly #parts: DeathWatchParts;
  /** When processes died, the latest last; no more than the bound. */
  #deathsMs: number[] = [];
  #degraded = false;
  #nextStartMs = 0;
  #look: Timer | undefined;

  constructor(parts: DeathWatchParts) {
    this.#parts = parts;
  }

  /** A process has ended that nobody had ended. */
  noteDeath(): void {
    const { maxDeaths, deathsPeriodMs, telemetry } = this.#parts;
    if (maxDeaths === 0) return;
    this.#forgetOld();
    this.#deathsMs = [...this.#deathsMs, monotonicMs()].slice(-maxDeaths);
    if (this.#degraded || this.#deathsMs.length < maxDeaths) return;
    this.#degraded = true;
    this.#nextStartMs = 0;
    telemetry.log.error('pool_degraded', { deaths: maxDeaths, deathsPeriodMs });
    this.#lookAgain();
  }

  /** Why the pool is degraded; undefined when it is not. */
  get reason(): string | undefined {
    this.#recoverIfOver();
    if (!this.#degraded) return undefined;
    const { maxDeaths, deathsPeriodMs } = this.#parts;
    return `${maxDeaths} or more agent processes died by themselves within ${deathsPeriodMs} ms; starts are slowed down until they stay alive. Their last words are in the log (agent_died).`;
  }

  /**
   * Waits for this start's turn while the pool is degraded: one each so long that the bound can't be passed again. A start
   * whose turn would come later than `longestMs` is refused with `session_connection_failed`.
   */
  async waitToStart(signal: AbortSignal, longestMs: number): Promise<void> {
    const { reason } = this;
    if (reason === undefined) return;
    const { maxDeaths, deathsPeriodMs } = this.#parts;
    const now = monotonicMs();
    const startMs = Math.max(now, this.#nextStartMs);
    if (startMs - now > longestMs) {
      throw new RoundhouseError('session_connection_failed', `No process was started: ${reason}`, {
        retryAfterSeconds: Math.ceil((startMs - now) / 1000),
      });
    }
    const nextMs = startMs + deathsPeriodMs / maxDeaths;
    this.#nextStartMs = nextMs;
    try {
      if (startMs > now) await sleep(startMs - now, signal, { keepAlive: true });
    } catch (error) {
      // Who gives up leaves its turn to the next one, unless others stand behind it already.
      if (this.#nextStartMs === nextMs) this.#nextStartMs = startMs;
      throw error;
    }
  }

  /** After this nothing is looked at any more. */
  close(): void {
    this.#look?.cancel();
  }

  #forgetOld(): void {
    const since = monotonicMs() - this.#parts.deathsPeriodMs;
    this.#deathsMs = this.#deathsMs.filter((atMs) => atMs > since);
  }

  #recoverIfOver(): void {
    if (!this.#degraded) return;
    this.#forgetOld();
    if (this.#deathsMs.length > this.#parts.maxDeaths / 2) return;
    this.#degraded = false;
    this.#look?.cancel();
    this.#parts.telemetry.log.info('pool_recovered', { deaths: this.#deathsMs.length });
  }

  /** So that the end of it is in the log also when nobody asks. */
  #lookAgain(): void {
    const [oldest = monotonicMs()] = this.#deathsMs;
    const inMs = Math.max(1, oldest + this.#parts.deathsPeriodMs - monotonicMs());
    this.#look = after(inMs, () => {
      this.#recoverIfOver();
      if (this.#degraded) this.#lookAgain();
    });
  }
}
