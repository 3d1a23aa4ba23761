import { z } from 'zod';
import {
  turnLimitOverridesSchema,
  turnLimitsSchema,
  type TurnLimits,
} from '../../definitions/turn-limits.ts';

/** Limits of a turn under the names of this API (`turn_ms` is `turnMs`), with the bounds that they have everywhere. */

const LIMITS = Object.entries(turnLimitsSchema.shape).map(([name, limit]) => ({
  name,
  apiName: name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  // Without its default: one that was not asked for is the host's.
  schema: limit.unwrap(),
  description: limit.description ?? '',
}));

/** Not only that it is unknown: whoever writes a limit as the configuration has it sees how it is written here. */
const inTheseNames: { readonly error: z.core.$ZodErrorMap } = {
  error: ({ code }) =>
    code === 'unrecognized_keys'
      ? `unknown; expected one of ${LIMITS.map(({ apiName }) => apiName).join(', ')}`
      : undefined,
};

export const apiLimits = z.strictObject(
  Object.fromEntries(
    LIMITS.map(({ apiName, schema, description }) => [
      apiName,
      schema.exactOptional().describe(description),
    ]),
  ),
  inTheseNames,
);

/** Null removes one. */
export const apiLimitsPatch = z.strictObject(
  Object.fromEntries(
    LIMITS.map(({ apiName, schema, description }) => [
      apiName,
      schema.nullable().exactOptional().describe(description),
    ]),
  ),
  inTheseNames,
);

/** What {@link apiLimits} has read, in our names. */
export function toTurnLimits(
  limits: Readonly<Record<string, number>> | null | undefined,
): Partial<TurnLimits> {
  return turnLimitOverridesSchema.parse(
    Object.fromEntries(
      LIMITS.flatMap(({ name, apiName }) => {
        const limit = limits?.[apiName];
        return limit === undefined ? [] : [[name, limit]];
      }),
    ),
  );
}

/** Ours, in the names of the API. */
export function toApiLimits(limits: Partial<TurnLimits> = {}): Record<string, number> {
  return Object.fromEntries(
    LIMITS.flatMap(({ name, apiName }) => {
      const limit: unknown = Reflect.get(limits, name);
      return typeof limit === 'number' ? [[apiName, limit]] : [];
    }),
  );
}
