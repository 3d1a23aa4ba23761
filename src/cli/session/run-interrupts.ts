import type { CliContext } from '../context.ts';

/** Ctrl-C of a command with one turn: the first interrupts the turn, the second leaves. SIGTERM and a reader who left leave. */
export class RunInterrupts {
  readonly #controller = new AbortController();
  readonly #context: CliContext;
  #first: (() => void) | undefined;
  #pressed = false;
  readonly #press = (): void => this.press();
  readonly #leave = (): void => this.#controller.abort();

  constructor(context: CliContext) {
    this.#context = context;
    context.signals.on('SIGINT', this.#press);
    context.signals.on('SIGTERM', this.#leave);
    context.stdout.on('error', this.#leave);
  }

  /** Aborts when the person leaves. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the turn was interrupted here. */
  get pressed(): boolean {
    return this.#pressed;
  }

  /** What the first one does. Until this is called, it leaves. */
  onFirst(interrupt: () => void): void {
    this.#first = interrupt;
  }

  /** Ctrl-C was pressed, wherever that was heard. */
  press(): void {
    const interrupt = this.#first;
    this.#first = undefined;
    this.#pressed = true;
    if (interrupt === undefined) this.#leave();
    else interrupt();
  }

  /** Listens no more. */
  stop(): void {
    this.#context.signals.off('SIGINT', this.#press);
    this.#context.signals.off('SIGTERM', this.#leave);
    this.#context.stdout.off('error', this.#leave);
  }
}
