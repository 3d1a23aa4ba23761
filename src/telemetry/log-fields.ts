import type { LogFields } from './telemetry.ts';
import { MASK, isSecretName } from './secret-names.ts';

/** Deeper values, and longer chains of causes, are left out: a log line is no dump. */
const MAX_DEPTH = 5;
/** Names that a log line has of its own; a field of that name gets a `_` behind it. */
const RESERVED = new Set(['level', 'time', 'event']);

/** The fields of a log line as plain data: errors with code and cause, secrets masked, no name of the line's own. */
export function plainFields(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      RESERVED.has(name) ? `${name}_` : name,
      isSecret(name, value) ? MASK : plain(value, 0),
    ]),
  );
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (value instanceof Error) return plainError(value, depth);
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return plain([...value], depth);
  if ('toJSON' in value && typeof value.toJSON === 'function') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      isSecret(name, item) ? MASK : plain(item, depth + 1),
    ]),
  );
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    ...('fields' in error ? { fields: plain(error.fields, depth + 1) } : {}),
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: plain(error.cause, depth + 1) }),
  };
}

/** A number or a switch is no secret, whatever its name: `firstToken: 12` is a time. */
function isSecret(name: string, value: unknown): boolean {
  const canHoldOne = typeof value === 'string' || (typeof value === 'object' && value !== null);
  return canHoldOne && isSecretName(name);
}
