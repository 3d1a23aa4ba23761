import { stringify } from 'yaml';

import type { CliContext } from '../context.ts';
import { printable } from './printable.ts';
import { renderTable, type Column } from './table.ts';
import { paintFor, terminalWidth } from './style.ts';

/** What a command has to say, for a person or, with `--json`, for a script. */
export class Output {
  /** Whether a script reads it. */
  readonly json: boolean;
  readonly #context: CliContext;

  constructor(context: CliContext, json: boolean | undefined) {
    this.json = json === true;
    this.#context = context;
  }

  /** The one JSON document of a command; nothing but it may go to stdout. */
  document(value: unknown): void {
    this.#context.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** One of many: a JSON line. */
  jsonLine(value: unknown): void {
    this.#context.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A thing as it is: YAML for a person, JSON for a script. */
  thing(value: unknown): void {
    if (this.json) return this.document(value);
    this.#context.stdout.write(printable(stringify(value, { lineWidth: 0 })));
  }

  /** Rows under titles, in the width of the terminal. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    const { stdout, env } = this.#context;
    const look = { width: terminalWidth(stdout), paint: paintFor(stdout, env) };
    stdout.write(renderTable(columns, rows, look));
  }

  /** What was done: the id alone on stdout, so that a shell can take it, or the thing with `--json`. */
  made(thing: { readonly id: string }): void {
    if (this.json) this.document(thing);
    else this.#context.stdout.write(`${printable(thing.id)}\n`);
  }

  /** A word beside the matter. It goes to stderr, where it disturbs no script. */
  note(text: string): void {
    this.#context.stderr.write(`${text}\n`);
  }
}
