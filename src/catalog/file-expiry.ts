import { wallClockIso } from '../time/clock.ts';
import { every, type Timer } from '../time/timers.ts';

/** How often it is looked for files whose time has passed. They can't be read from that time on, whenever they go. */
const PERIOD_MS = 60_000;

/** Whether a file of that expiry has no bytes any more. */
export function isExpired(expiresAt: string | null): boolean {
  return expiresAt !== null && expiresAt <= wallClockIso();
}

/** Calls back once for each file whose time has passed, within a minute. */
export class FileExpiry {
  readonly #due = new Map<string, { readonly expiresAt: string; readonly expire: () => void }>();
  #timer: Timer | undefined;

  /** `expire` must not throw. */
  add(id: string, expiresAt: string, expire: () => void): void {
    this.#due.set(id, { expiresAt, expire });
    this.#timer ??= every(PERIOD_MS, () => this.#look());
  }

  /** The file will not expire, because it is deleted. False when it has expired already, or never would have. */
  forget(id: string): boolean {
    return this.#due.delete(id);
  }

  /** Nothing is called back any more. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due.clear();
  }

  #look(): void {
    for (const [id, { expiresAt, expire }] of this.#due) {
      if (!isExpired(expiresAt)) continue;
      this.#due.delete(id);
      expire();
    }
  }
}
