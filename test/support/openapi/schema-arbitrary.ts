import * as fc from 'fast-check';
import type { JsonSchema } from '../../../src/http/openapi/document-types.ts';

export interface ArbitraryOptions {
  readonly components: Readonly<Record<string, JsonSchema>>;
  /** Values for fields of that name, instead of what the schema says: such as only the server knows. */
  readonly known: Readonly<Record<string, readonly unknown[]>>;
}

/** How often a field that may be left out is there, of ten. */
const OPTIONAL_OF_TEN = 3;
const MAX_TEXT = 12;
const MAX_ITEMS = 2;
const URLS = ['https://example.com/mcp', 'http://127.0.0.1:1/a?b=c#d'];

/** Values that a JSON Schema of our document allows. Fields that are refused are left out. Throws for what it does not know. */
export function arbitraryOf(schema: JsonSchema, options: ArbitraryOptions): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const id = schema.$ref.slice('#/components/schemas/'.length);
    const target = options.components[id];
    if (target === undefined) throw new Error(`There is no schema ${schema.$ref}.`);
    return arbitraryOf(target, options);
  }
  const forms = schema.anyOf ?? schema.oneOf;
  if (forms !== undefined) return fc.oneof(...forms.map((form) => arbitraryOf(form, options)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.type === undefined) return fc.jsonValue({ maxDepth: 1 });
  const types = [schema.type].flat();
  return fc.oneof(...types.map((type) => ofType(type, schema, options)));
}

function ofType(
  type: string,
  schema: JsonSchema,
  options: ArbitraryOptions,
): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -10, max: Math.min(schema.maximum ?? 1e6, 1e6) });
    case 'number':
      return fc.double({
        min: schema.minimum ?? -10,
        max: schema.maximum ?? 1e6,
        noNaN: true,
        noDefaultInfinity: true,
      });
    case 'string':
      return text(schema);
    case 'array':
      return array(schema, options);
    case 'object':
      return object(schema, options);
    default:
      throw new Error(`Nobody knows how to make a value of the type ${type}.`);
  }
}

function text({ pattern, format, minLength = 0, maxLength = MAX_TEXT }: JsonSchema) {
  if (pattern !== undefined) {
    return fc
      .stringMatching(new RegExp(pattern))
      .filter(({ length }) => length >= minLength && length <= Math.max(maxLength, MAX_TEXT));
  }
  if (format === 'date-time') return fc.date({ noInvalidDate: true, ...YEARS }).map(isoOf);
  if (format === 'uri') return fc.constantFrom(...URLS);
  const bounds = { minLength, maxLength: Math.min(maxLength, Math.max(minLength, MAX_TEXT)) };
  return fc.oneof(
    fc.string(bounds),
    fc.string({ ...bounds, unit: 'binary' }).filter(({ length }) => length <= bounds.maxLength),
  );
}

const YEARS = { min: new Date('1970-01-01T00:00:00Z'), max: new Date('2100-01-01T00:00:00Z') };

function isoOf(date: Date): string {
  return date.toISOString();
}

function array(
  { items, minItems = 0, maxItems = MAX_ITEMS }: JsonSchema,
  options: ArbitraryOptions,
): fc.Arbitrary<unknown> {
  if (maxItems === 0) return fc.constant([]);
  const item = isSchema(items) ? arbitraryOf(items, options) : fc.jsonValue({ maxDepth: 1 });
  const maxLength = Math.min(maxItems, Math.max(minItems, MAX_ITEMS));
  return fc.array(item, { minLength: minItems, maxLength });
}

function object(schema: JsonSchema, options: ArbitraryOptions): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    isSchema(property) && property['x-refused'] !== true
      ? [[name, field(name, property, options, (schema.required ?? []).includes(name))] as const]
      : [],
  );
  const declared = fc.record(Object.fromEntries(fields)).map(withoutAbsent);
  const { additionalProperties } = schema;
  if (!isSchema(additionalProperties)) return declared;
  const key = isSchema(schema.propertyNames)
    ? text(schema.propertyNames)
    : fc.string({ minLength: 1, maxLength: MAX_TEXT });
  const others = fc.dictionary(key, arbitraryOf(additionalProperties, options), {
    maxKeys: MAX_ITEMS,
    noNullPrototype: true,
  });
  return fc.tuple(others, declared).map(([more, own]) => ({ ...more, ...own }));
}

/** What stands for a field that is left out. */
const ABSENT = Symbol('absent');

function field(
  name: string,
  schema: JsonSchema,
  options: ArbitraryOptions,
  required: boolean,
): fc.Arbitrary<unknown> {
  const known = options.known[name];
  const value = known === undefined ? arbitraryOf(schema, options) : fc.constantFrom(...known);
  if (required) return value;
  return fc.oneof(
    { weight: 10 - OPTIONAL_OF_TEN, arbitrary: fc.constant(ABSENT) },
    { weight: OPTIONAL_OF_TEN, arbitrary: value },
  );
}

function withoutAbsent(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ABSENT));
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
