import { z } from 'zod';
import type { JsonSchema } from './document-types.ts';

/** Schemas as JSON Schema, by the names that they came under, and what they refer to as `#/components/schemas/…`. */
export interface JsonSchemas {
  readonly named: ReadonlyMap<string, JsonSchema>;
  /** Schemas with an id (`.meta({ id: 'Agent' })`), wherever they stand in the others. */
  readonly components: Readonly<Record<string, JsonSchema>>;
}

/**
 * Turns zod schemas into JSON Schema as clients write them (before transforms and defaults). Throws for two schemas with
 * the same id. In one conversion, so that what several of them share is found.
 */
export function toJsonSchemas(schemas: ReadonlyMap<string, z.ZodType>): JsonSchemas {
  const all = z.toJSONSchema(z.object(Object.fromEntries(schemas)), {
    io: 'input',
    override: ({ jsonSchema }) => tidy(jsonSchema),
  });
  const { $defs = {}, properties = {} } = all;
  return {
    named: new Map(Object.entries(properties).map(([name, schema]) => [name, hoisted(schema)])),
    components: Object.fromEntries(
      Object.entries($defs).map(([id, schema]) => {
        const { id: _, ...component } = hoisted(schema);
        return [id, component];
      }),
    ),
  };
}

/** Takes out what zod writes and no reader needs. */
function tidy(schema: JsonSchema): void {
  // Bounds that every number in JavaScript has.
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  // The format says the same; a whole number in a query is a text with a pattern for zod.
  if (schema.format === 'date-time' || schema.type === 'integer') delete schema.pattern;
  // See `wholeNumberOr`.
  if (schema['x-default'] !== undefined) schema.default = schema['x-default'];
  delete schema['x-default'];
  // Whether our own types may be changed is nobody's affair.
  delete schema.readOnly;
}

/** The schema with its references pointing into the document. */
function hoisted(schema: unknown): JsonSchema {
  const text = JSON.stringify(schema);
  const moved: JsonSchema = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/'));
  return moved;
}
