import type { RoundhouseError } from '../../errors.ts';

/** Turns whatever a database throws into an error of ours; passes ours through. */
export type MapStorageError = (error: unknown) => RoundhouseError;

/** Runs the work of one call of a store; whatever it throws comes out mapped. */
export async function mapped<T>(map: MapStorageError, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw map(error);
  }
}
