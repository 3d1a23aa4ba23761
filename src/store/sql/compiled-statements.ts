import type { CompiledQuery, Compilable, Kysely, QueryResult } from 'kysely';
import { RoundhouseError } from '../../errors.ts';
import type { Database } from './schema.ts';

/**
 * Statements that every turn runs, built once for each of their shapes: with cold caches, as between two tokens of a
 * model, building one with Kysely takes several times as long as SQLite takes to run it.
 */
export class CompiledStatements {
  readonly #compiled = new Map<string, CompiledQuery>();

  /**
   * Runs the statement of that shape with these parameters, in the order in which `build` uses them. `build` is called for
   * the first of each shape; that its parameters are these is checked then. There must be few shapes.
   */
  run<Row>(
    db: Kysely<Database>,
    shape: string,
    parameters: readonly unknown[],
    build: () => Compilable<Row>,
  ): Promise<QueryResult<Row>> {
    let compiled = this.#compiled.get(shape);
    if (compiled === undefined) {
      compiled = build().compile();
      if (!areSame(compiled.parameters, parameters)) {
        throw new RoundhouseError(
          'internal',
          `The parameters of the statement ${shape} are not in its order.`,
        );
      }
      this.#compiled.set(shape, compiled);
    }
    return db.executeQuery<Row>({ ...compiled, parameters });
  }
}

function areSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, place) => value === b[place]);
}
