import { RoundhouseError } from '../errors.ts';
import { monotonicMs } from '../time/clock.ts';

/** Failed starts of one configuration in a row, after which no further one is tried for a while. */
const OPEN_AFTER = 5;
/** How long: doubled with each failed trial, with up to a quarter at random on top, so that hosts do not try in step. */
const OPEN_FIRST_MS = 5_000;
const OPEN_MAX_MS = 120_000;
/** Configurations that are remembered; the one that failed longest ago makes room. */
const MAX_REMEMBERED = 256;

interface Record {
  failures: number;
  openUntilMs: number;
  /** A trial is under way: the others wait for what it shows. */
  trying: boolean;
  last: RoundhouseError;
}

/**
 * Keeps a configuration that does not start from being tried again and again by every session that wants it: after several
 * failures in a row callers get the last error at once, and now and then one start is let through to see.
 */
export class StartBreaker {
  readonly #records = new Map<string, Record>();

  /** Throws the last error, with the time to wait, while starts of this configuration are held back. */
  check(key: string): void {
    const record = this.#records.get(key);
    if (record === undefined || record.failures < OPEN_AFTER) return;
    const waitMs = record.openUntilMs - monotonicMs();
    if (waitMs <= 0 && !record.trying) {
      record.trying = true;
      return;
    }
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    throw new RoundhouseError(
      record.last.code,
      `Agent processes of this configuration failed to start ${record.failures} times in a row; the next attempt is in ${seconds} s. The last failure: ${record.last.message}`,
      { cause: record.last, retryAfterSeconds: seconds },
    );
  }

  succeeded(key: string): void {
    this.#records.delete(key);
  }

  failed(key: string, error: RoundhouseError): void {
    const failures = (this.#records.get(key)?.failures ?? 0) + 1;
    const beyond = Math.max(0, failures - OPEN_AFTER);
    const openMs = Math.min(OPEN_MAX_MS, OPEN_FIRST_MS * 2 ** beyond) * (1 + Math.random() / 4);
    // The last one to fail stands last, so the first is the one to forget.
    this.#records.delete(key);
    this.#records.set(key, {
      failures,
      openUntilMs: monotonicMs() + openMs,
      trying: false,
      last: error,
    });
    const [oldest] = this.#records.keys();
    if (this.#records.size > MAX_REMEMBERED && oldest !== undefined) this.#records.delete(oldest);
  }

  /** A trial that was given up, not failed: the next caller may try. */
  abandoned(key: string): void {
    const record = this.#records.get(key);
    if (record !== undefined) record.trying = false;
  }
}
