import { monotonicMs } from '../../src/time/clock.ts';
import type { Ledger, PromptEntry } from '../ledger.ts';
import { sendPrompt, type RunningPrompt } from '../prompt.ts';
import type { World } from '../world.ts';
import type { CrowdPlan, CrowdSession } from './plan.ts';

/** A prompt that has ended, and how long its client waited. */
export interface CrowdTurn {
  readonly owner: string;
  readonly entry: PromptEntry;
  /** From before the request to the first text of the answer; undefined when there was none. */
  readonly firstTextMs: number | undefined;
}

export interface CrowdLoadParts {
  readonly world: World;
  readonly ledger: Ledger;
  readonly plan: CrowdPlan;
  /** Prompts at once. */
  readonly atOnce: number;
  /** Makes all clients leave, and none come. */
  readonly signal: AbortSignal;
}

/** As many clients as there may be prompts at once; each takes the next prompt of the plan as soon as it has its answer. */
export class CrowdLoad {
  readonly turns: CrowdTurn[] = [];
  readonly #parts: CrowdLoadParts;
  readonly #running = new Set<RunningPrompt>();

  constructor(parts: CrowdLoadParts) {
    this.#parts = parts;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Settles when the plan is done, or the signal has aborted, and every client has its end. */
  async run(): Promise<void> {
    const { atOnce, signal } = this.#parts;
    const leave = (): void => {
      for (const prompt of this.#running) prompt.leave();
    };
    signal.addEventListener('abort', leave, { once: true });
    await Promise.all(Array.from({ length: atOnce }, () => this.#runClient()));
    signal.removeEventListener('abort', leave);
  }

  async #runClient(): Promise<void> {
    const { world, plan, signal } = this.#parts;
    while (!signal.aborted && !world.failed) {
      const session = plan.take();
      // What is left belongs to sessions that answer now: their clients take it.
      if (session === undefined) return;
      await this.#prompt(session);
      plan.release(session);
    }
  }

  async #prompt({ entry: session, owner }: CrowdSession): Promise<void> {
    const { world, ledger } = this.#parts;
    const entry = ledger.openPrompt(session, '');
    const sentMs = monotonicMs();
    let firstTextMs: number | undefined;
    const onText = (): void => {
      firstTextMs ??= monotonicMs() - sentMs;
    };
    const prompt = sendPrompt({ world, ledger, session, entry, key: owner.key, onText });
    this.#running.add(prompt);
    await prompt.ended;
    this.#running.delete(prompt);
    this.turns.push({ owner: owner.id, entry, firstTextMs });
  }
}
