import type { JsonSchema } from './document-types.ts';
import type { FieldNotes } from './operation.ts';

/** Where the components of a document stand, in a reference. */
const COMPONENTS = '#/components/schemas/';

/**
 * Puts the note of each field where its schema is: as its description, and as a mark where the field is refused. A path
 * (`tools.*.configs.*.name`) goes into every form that a value can have, and through references; one that leads to no
 * property, because it names a form and not a field, changes nothing.
 */
export function noteFields(
  body: JsonSchema,
  notes: FieldNotes,
  components: Readonly<Record<string, JsonSchema>>,
): void {
  for (const [path, { effect, note }] of Object.entries(notes)) {
    for (const field of fieldsAt([body], path.split('.'), components)) {
      field.description = effect === 'takes effect' ? note : `${MARKS[effect]} ${note}`;
      if (effect === 'refused') field['x-refused'] = true;
    }
  }
}

const MARKS = { ignored: 'Without effect.', refused: 'Refused:' } as const;

function fieldsAt(
  schemas: readonly JsonSchema[],
  path: readonly string[],
  components: Readonly<Record<string, JsonSchema>>,
): JsonSchema[] {
  const [step, ...rest] = path;
  if (step === undefined) return [...schemas];
  const forms = schemas.flatMap((schema) => formsOf(schema, components));
  const next = forms.flatMap((form) =>
    schemasIn(step === '*' ? [form.items, form.additionalProperties] : [form.properties?.[step]]),
  );
  return next.length === 0 ? [] : fieldsAt(next, rest, components);
}

/** A schema and everything that it says a value can be. */
export function formsOf(
  schema: JsonSchema,
  components: Readonly<Record<string, JsonSchema>>,
): JsonSchema[] {
  const target = schema.$ref?.startsWith(COMPONENTS)
    ? components[schema.$ref.slice(COMPONENTS.length)]
    : undefined;
  const others = [target, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return [schema, ...schemasIn(others).flatMap((each) => formsOf(each, components))];
}

function schemasIn(values: readonly unknown[]): JsonSchema[] {
  return values.filter(isSchema);
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
