import { after } from '../../src/time/timers.ts';

/** A line of the server's log. */
export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

const DEFAULT_PATIENCE_MS = 20_000;
const SHOWN_LINES = 12;

/** The lines of a log as they come, and those who wait for one. */
export class LogLines {
  readonly lines: LogLine[] = [];
  readonly #listeners = new Set<(line: LogLine) => void>();

  add(line: LogLine): void {
    this.lines.push(line);
    for (const listener of this.#listeners) listener(line);
  }

  /** Calls `listener` with every line to come. Returns how to stop. */
  onLine(listener: (line: LogLine) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How many lines there are: what {@link LogLines.waitFor} takes as `from` to look at later ones only. */
  get mark(): number {
    return this.lines.length;
  }

  /** The first line that matches, from line `from` on (default: the first), there already or still to come. */
  waitFor(
    predicate: (line: LogLine) => boolean,
    { from = 0, patienceMs = DEFAULT_PATIENCE_MS } = {},
  ): Promise<LogLine> {
    const known = this.lines.slice(from).find(predicate);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const stop = this.onLine((line) => {
        if (!predicate(line)) return;
        timer.cancel();
        stop();
        resolve(line);
      });
      const timer = after(patienceMs, () => {
        stop();
        const last = this.lines.slice(-SHOWN_LINES).map((line) => JSON.stringify(line));
        reject(
          new Error(`No such line within ${patienceMs} ms. The last ones:\n${last.join('\n')}`),
        );
      });
    });
  }

  /** The first line of that event whose fields are these. */
  waitForEvent(
    event: string,
    fields: Readonly<Record<string, unknown>> = {},
    options: { from?: number; patienceMs?: number } = {},
  ): Promise<LogLine> {
    const wanted = Object.entries(fields);
    return this.waitFor(
      (line) => line.event === event && wanted.every(([name, value]) => line[name] === value),
      options,
    );
  }

  /** Names of the events from line `from` on. */
  events(from = 0): string[] {
    return this.lines.slice(from).map(({ event }) => event);
  }
}
