import { damageOf } from '../../contracts/damaged-row.ts';

/** Told of each thing that is damaged in the store, the first time that somebody comes by it. */
export type NoteDamage = (what: string, error: unknown) => void;

/** Reads rows of lists, so that one that is damaged hides none of the others. */
export class DamagedRows {
  readonly #note: NoteDamage;
  /** What it has told of: a list that is asked for each second must not fill the log. */
  readonly #told = new Set<string>();

  constructor(note: NoteDamage) {
    this.#note = note;
  }

  /** What `read` makes of the rows, those left out that are damaged; `onLeftOut` hears of each of them. */
  readable<Row, T>(
    rows: readonly Row[],
    read: (row: Row) => T,
    onLeftOut?: (row: Row) => void,
  ): T[] {
    return rows.flatMap((row) => {
      try {
        return [read(row)];
      } catch (error) {
        if (!this.tell(error)) throw error;
        onLeftOut?.(row);
        return [];
      }
    });
  }

  /** Tells of the damage that an error stands for. False for any other error. */
  tell(error: unknown): boolean {
    const what = damageOf(error);
    if (what === undefined) return false;
    if (!this.#told.has(what)) this.#note(what, error);
    this.#told.add(what);
    return true;
  }
}
