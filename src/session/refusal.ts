import { asRoundhouseError, type RoundhouseError } from '../errors.ts';

/** Whether a session takes anything from its clients, and if not, why. Refusing is for good. */
export class Refusal {
  #error: RoundhouseError | undefined;

  /** Why nothing is taken; undefined while it is. */
  get error(): RoundhouseError | undefined {
    return this.#error;
  }

  /** Nothing is taken from now on. The first error counts. */
  begin(error: RoundhouseError): void {
    this.#error ??= error;
  }

  throwIfBegun(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** Why nothing was kept. The store does not know a session that was deleted meanwhile; why it ended says more than that. */
  whyNotWritten(error: unknown): RoundhouseError {
    const failure = asRoundhouseError(error, 'storage_failed');
    return failure.code === 'session_not_found' ? (this.#error ?? failure) : failure;
  }
}
