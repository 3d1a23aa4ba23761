import { isObject } from './json.ts';

/** Deep enough for any real schema; a recursive one must end somewhere. */
const MAX_DEPTH = 8;
/** Lists get this many items unless the schema asks for more. */
const MAX_ITEMS = 3;

/**
 * The smallest value that follows a JSON schema, with `text` wherever a free string stands. Knows `const`, `enum`,
 * `anyOf`, `oneOf`, `type`, `properties`, `required`, `items` and `minItems`; enough for titles and structured output.
 */
export function valueForSchema(schema: unknown, text: string, depth = 0): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return null;
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices)) return valueForSchema(choices[0], text, depth + 1);
  const type = Array.isArray(schema['type']) ? schema['type'][0] : schema['type'];
  switch (type) {
    case 'string':
      return text;
    case 'number':
    case 'integer':
      return typeof schema['minimum'] === 'number' ? schema['minimum'] : 0;
    case 'boolean':
      return false;
    case 'array': {
      const count = Math.min(Number(schema['minItems'] ?? 0), MAX_ITEMS);
      return Array.from({ length: count }, () => valueForSchema(schema['items'], text, depth + 1));
    }
    case 'object':
      return objectFor(schema, text, depth);
    default:
      return isObject(schema['properties']) ? objectFor(schema, text, depth) : null;
  }
}

function objectFor(schema: Record<string, unknown>, text: string, depth: number): unknown {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return Object.fromEntries(
    required.map((name) => [name, valueForSchema(properties[String(name)], text, depth + 1)]),
  );
}
