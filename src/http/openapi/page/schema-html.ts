import type { JsonSchema } from '../document-types.ts';
import { html, prose, type Html } from './html.ts';

/** A schema as people read it: its type in a line, and its fields as a list. */

const COMPONENTS = '#/components/schemas/';
/** Longest pattern that is shown. */
const MAX_PATTERN_CHARS = 60;

/** The type, with its limits: `string, 1 to 256 characters, or null`. */
export function typeOf(schema: JsonSchema): Html {
  if (schema.$ref !== undefined) {
    const id = schema.$ref.slice(COMPONENTS.length);
    return html`<a href="#schema-${id}">${id}</a>`;
  }
  const forms = formsOf(schema);
  if (forms.length > 0) {
    return html`${forms.map((form, index) => [index === 0 ? '' : ' or ', typeOf(form)])}`;
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum !== undefined) return choices(schema.enum);
  if (schema.type === 'array' && isSchema(schema.items)) {
    return html`array of ${typeOf(schema.items)}${limitsOf(schema)}`;
  }
  return html`${[schema.type ?? 'anything'].flat().join(' or ')}${limitsOf(schema)}`;
}

/** The fields of whatever the schema lets a value be; undefined when there are none. */
export function fieldsOf(schema: JsonSchema): Html | undefined {
  const forms = formsOf(schema).flatMap((form, index) => {
    const fields = form.$ref === undefined ? fieldsOf(form) : undefined;
    return fields === undefined ? [] : [{ name: nameOf(form, index), fields }];
  });
  // Of one form that has fields nobody needs to be told which one it is.
  if (forms.length === 1) return forms[0]?.fields;
  if (forms.length > 1) {
    return html`<ul>
      ${forms.map(({ name, fields }) => html`<li class="form">${name}${fields}</li>`)}
    </ul>`;
  }
  if (isSchema(schema.items) && schema.items.$ref === undefined) return fieldsOf(schema.items);
  const { properties = {}, required = [], additionalProperties } = schema;
  const fields = Object.entries(properties).flatMap(([name, field]) =>
    isSchema(field) ? [fieldItem(name, field, required.includes(name))] : [],
  );
  if (isSchema(additionalProperties) && Object.keys(additionalProperties).length > 0) {
    fields.push(fieldItem('any name', additionalProperties, false));
  }
  return fields.length === 0
    ? undefined
    : html`<ul>
        ${fields}
      </ul>`;
}

/** One field or parameter: its name, type, limits, and what is said of it. */
export function fieldItem(name: string, schema: JsonSchema, required: boolean): Html {
  const refused = schema['x-refused'] === true;
  const description = schema.description === undefined ? undefined : prose(schema.description);
  const type = refused
    ? undefined
    : html` <span class="type">${typeOf(schema)}${defaultOf(schema)}</span>`;
  const mark = required ? html` <strong>required</strong>` : undefined;
  return html`<li>
    <code>${name}</code>${type}${mark}${
      description === undefined ? undefined : html`<div>${description}</div>`
    }${refused ? undefined : fieldsOf(schema)}
  </li>`;
}

function defaultOf(schema: JsonSchema): Html | undefined {
  if (schema.default === undefined) return undefined;
  return html`, default <code>${JSON.stringify(schema.default)}</code>`;
}

/** What several forms are told apart by: the fields that can have one value only. */
function nameOf(form: JsonSchema, index: number): Html {
  const told = Object.entries(form.properties ?? {}).flatMap(([name, field]) =>
    isSchema(field) && field.const !== undefined
      ? [html`<code>${name}: ${JSON.stringify(field.const)}</code> `]
      : [],
  );
  const description = form.description === undefined ? undefined : prose(form.description);
  if (told.length === 0 && description === undefined) return html`Form ${index + 1}`;
  return html`${told}${description}`;
}

function formsOf(schema: JsonSchema): JsonSchema[] {
  return (schema.anyOf ?? schema.oneOf ?? []).flatMap((form) => {
    const inside = formsOf(form);
    return inside.length === 0 ? [form] : inside;
  });
}

function choices(values: readonly unknown[]): Html {
  return html`${values.map((value, index) => [
    index === 0 ? '' : ' or ',
    html`<code>${JSON.stringify(value)}</code>`,
  ])}`;
}

function limitsOf(schema: JsonSchema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, format, pattern } = schema;
  const shownPattern =
    pattern !== undefined && pattern.length <= MAX_PATTERN_CHARS ? `matches ${pattern}` : undefined;
  return [
    range(minimum, maximum, ''),
    range(minLength, maxLength, ' characters'),
    range(minItems, maxItems, ' entries'),
    format,
    shownPattern,
  ]
    .filter((limit) => limit !== undefined)
    .map((limit) => `, ${limit}`)
    .join('');
}

function range(from: number | undefined, to: number | undefined, unit: string): string | undefined {
  if (from === undefined && to === undefined) return undefined;
  if (from === 1 && to === undefined && unit !== '') return 'not empty';
  if (to === undefined) return `at least ${number(from)}${unit}`;
  if (from === undefined) return `at most ${number(to)}${unit}`;
  return `${number(from)} to ${number(to)}${unit}`;
}

function number(value: number | undefined): string {
  return value === undefined ? '' : value.toLocaleString('en-US');
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
