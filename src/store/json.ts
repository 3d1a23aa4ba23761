import { errorText, RoundhouseError } from '../errors.ts';

/** `value` as JSON. `storage_failed` for what JSON can't hold: a circle, a bigint, more than a string can be long. */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new RoundhouseError(
      'storage_failed',
      `A value can't be kept, because it is not JSON: ${errorText(error)}. This is a defect of the server; nothing was kept.`,
      { cause: error },
    );
  }
}
