import type { AgentExit } from '../../contracts/agent-driver.ts';
import { after } from '../../time/timers.ts';

/** How a process ends; whether its transcript is stale is known already. */
type End = Omit<AgentExit, 'stderrTail' | 'transcriptStale'> & Partial<AgentExit>;

/** The life of a scripted process: it takes prompts until it ends, and is gone a while later. */
export class ProcessLife {
  /** Settles when the process is gone. */
  readonly exited: Promise<AgentExit>;
  /** Whether the transcript in the store is said to lack something. */
  stale = false;
  readonly #exitMs: number;
  readonly #onEnd: () => void;
  readonly #settle: (exit: AgentExit) => void;
  #exit: AgentExit | undefined;
  #gone = false;

  /** `exitMs`: from the end until the process is gone. `onEnd` is called once, before it can be gone. */
  constructor(exitMs: number, onEnd: () => void) {
    this.#exitMs = exitMs;
    this.#onEnd = onEnd;
    const exited = Promise.withResolvers<AgentExit>();
    this.exited = exited.promise;
    this.#settle = exited.resolve;
  }

  /** How it ended; undefined while it is alive. */
  get exit(): AgentExit | undefined {
    return this.#exit;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Ends it, unless it has ended. */
  end(end: End): void {
    if (this.#exit !== undefined) return;
    const exit = { stderrTail: '', transcriptStale: this.stale, ...end };
    this.#exit = exit;
    this.#onEnd();
    if (this.#exitMs === 0) this.#leave(exit);
    else after(this.#exitMs, () => this.#leave(exit), { keepAlive: true });
  }

  #leave(exit: AgentExit): void {
    this.#gone = true;
    this.#settle(exit);
  }
}
