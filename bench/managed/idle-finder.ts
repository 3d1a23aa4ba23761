const IDLE = 'event: session.status_idle\n';

/** Finds the event that says that a session is idle, also where chunks share its first line. Text in events has no line feed. */
export class IdleFinder {
  /** The end of what came, in which the line may have begun: too short to hold all of it. */
  #begun = '';

  /** Whether the session is idle now: this chunk completes the line. */
  add(chunk: Buffer): boolean {
    const text = this.#begun + chunk.toString('latin1');
    this.#begun = text.slice(1 - IDLE.length);
    return text.includes(IDLE);
  }
}
