/** Keywords that are regular expressions, or stand for one. */
const UNCHECKED: ReadonlySet<string> = new Set(['pattern', 'patternProperties', 'format']);
/** What holds for names that no other keyword tells. */
const OTHER_NAMES: ReadonlySet<string> = new Set(['additionalProperties', 'unevaluatedProperties']);
/** Keywords whose values are data and not schemas. */
const DATA: ReadonlySet<string> = new Set([
  'const',
  'default',
  'enum',
  'examples',
  'required',
  'type',
]);
/** Keywords whose values are schemas by name. */
const BY_NAME: ReadonlySet<string> = new Set([
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
  'properties',
]);

/**
 * A client's schema as it is checked here: without regular expressions, for one that a client has written and an input that
 * a model has written can hold up everybody on this host for hours. `format` means regular expressions too, and by the
 * standard it is a remark. Where names are told by a pattern, every name may be. The client has its own schema to check with.
 */
export function checkedSchema(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const anyName = 'patternProperties' in schema;
  const checked = Object.entries(schema).flatMap(([keyword, value]) => {
    if (UNCHECKED.has(keyword) || (anyName && OTHER_NAMES.has(keyword))) return [];
    // The API has null for none.
    if (value === null && (keyword === 'properties' || keyword === 'required')) return [];
    return [[keyword, checkedValue(keyword, value)] as const];
  });
  return Object.fromEntries(checked);
}

function checkedValue(keyword: string, value: unknown): unknown {
  if (DATA.has(keyword)) return value;
  if (Array.isArray(value)) return value.map(checkedAny);
  if (!isObject(value)) return value;
  if (!BY_NAME.has(keyword)) return checkedSchema(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, checkedAny(each)]));
}

function checkedAny(value: unknown): unknown {
  return isObject(value) ? checkedSchema(value) : value;
}

/**
 * The schema as it is listed. The protocol wants an object for each property, where JSON Schema also has true and false; a
 * client that is strict about it would see none of the tools.
 */
export function listedSchema(schema: Readonly<Record<string, unknown>>): {
  type: 'object';
  properties?: Record<string, object>;
  required?: string[];
} {
  const { properties, required, ...rest } = schema;
  return {
    ...rest,
    type: 'object',
    ...(isObject(properties) && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, each]) => [name, propertySchema(each)]),
      ),
    }),
    ...(Array.isArray(required) && {
      required: required.filter((name) => typeof name === 'string'),
    }),
  };
}

function propertySchema(schema: unknown): object {
  if (isObject(schema)) return schema;
  return schema === false ? { not: {} } : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
