import type { z } from 'zod';
import { ERROR_KINDS } from '../../errors.ts';
import type {
  JsonSchema,
  MediaObject,
  OpenApiDocument,
  OperationObject,
  ParameterObject,
  ResponseObject,
} from './document-types.ts';
import { ERROR_SCHEMA, ErrorResponses, HEADERS, REQUEST_ID } from './error-responses.ts';
import { noteFields } from './field-notes.ts';
import { toJsonSchemas, type JsonSchemas } from './json-schemas.ts';
import { TAGS, type Operation, type OperationAnswer } from './operation.ts';
import type { Route } from './route-list.ts';

const JSON_MEDIA = 'application/json';
const EVENT_STREAM = 'text/event-stream';

const INFO: OpenApiDocument['info'] = {
  title: 'Roundhouse',
  // Of the API, not of the program: what is public tells nobody which one runs.
  version: '1',
  description:
    'Claude Code sessions behind HTTP. Bodies are JSON, but for uploads of files. Every response has a `request-id`; errors have the shape of Anthropic’s API, with a code of ours (`x-errors`). Fields may be added to answers; ignore what you do not know. Without keys the server answers on loopback only, and everybody there may do everything.',
  license: { name: 'MIT', identifier: 'MIT' },
};

const ERRORS: OpenApiDocument['x-errors'] = Object.fromEntries(
  Object.entries(ERROR_KINDS).map(([code, kind]) => [code, { ...kind }]),
);

/** An operation on its way into the document. */
interface Described {
  readonly route: Route;
  readonly operation: Operation;
}

/**
 * The OpenAPI document of routes that describe themselves; others are left out. Throws for a description that does not
 * agree with its path, or two of the same id.
 */
export function openApiDocument(routes: readonly Route[]): OpenApiDocument {
  const described = routes.flatMap((route): Described[] =>
    route.operation === undefined ? [] : [{ route, operation: route.operation }],
  );
  const schemas = toJsonSchemas(
    new Map<string, z.ZodType>([
      ['error', ERROR_SCHEMA],
      ...described.flatMap(({ operation }) => schemasOf(operation)),
    ]),
  );
  const errors = new ErrorResponses(named(schemas, 'error'));
  const paths: Record<string, Record<string, OperationObject>> = {};
  const ids = new Set<string>();
  for (const each of described) {
    const { id } = each.operation;
    if (ids.has(id)) throw new Error(`Two routes are described as ${id}.`);
    ids.add(id);
    const path = (paths[openApiPath(each.route.url)] ??= {});
    path[each.route.method.toLowerCase()] = operationObject(each, schemas, errors);
  }
  const used = new Set(described.map(({ operation }) => operation.tag));
  return {
    openapi: '3.1.1',
    info: INFO,
    servers: [{ url: '/', description: 'The server that this document came from.' }],
    security: [{ key: [] }, { bearer: [] }],
    tags: Object.entries(TAGS).flatMap(([name, description]) =>
      [...used].some((tag) => tag === name) ? [{ name, description }] : [],
    ),
    paths,
    components: {
      schemas: schemas.components,
      responses: errors.common,
      headers: HEADERS,
      securitySchemes: SECURITY_SCHEMES,
    },
    'x-errors': ERRORS,
  };
}

const SECURITY_SCHEMES = {
  key: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'A key of this server.' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key as a bearer token.' },
};

/** Everything of an operation that has a schema, under names that the functions below find it by. */
function schemasOf({
  id,
  params,
  query,
  headers,
  body,
  answers,
}: Operation): [string, z.ZodType][] {
  return [
    ...fieldsOf(`${id} path`, params),
    ...fieldsOf(`${id} query`, query),
    ...fieldsOf(`${id} header`, headers),
    ...optional(`${id} body`, body?.schema),
    ...Object.entries(answers).flatMap(([status, { schema, events }]) => [
      ...optional(`${id} ${status}`, schema),
      ...optional(`${id} ${status} events`, events),
    ]),
  ];
}

function fieldsOf(name: string, schema: z.ZodObject | undefined): [string, z.ZodType][] {
  return optional(name, schema);
}

function optional(name: string, schema: z.ZodType | undefined): [string, z.ZodType][] {
  return schema === undefined ? [] : [[name, schema]];
}

function operationObject(
  { route, operation }: Described,
  schemas: JsonSchemas,
  errors: ErrorResponses,
): OperationObject {
  const { id, tag, summary, description, body } = operation;
  const parameters = (['path', 'query', 'header'] as const).flatMap((place) =>
    parametersOf(schemas.named.get(`${id} ${place}`), place),
  );
  checkPath(route.url, id, parameters);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(route.public && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        required: true,
        content: {
          [body.media ?? JSON_MEDIA]: {
            schema: bodySchema(operation, schemas),
            example: body.example,
          },
        },
      },
    }),
    responses: Object.fromEntries([
      ...Object.entries(operation.answers).map(([status, answer]) => [
        status,
        answerObject(`${id} ${status}`, answer, schemas),
      ]),
      ...errors.of(route),
    ]),
  };
}

/** `/v1/agents/:agentId` as `/v1/agents/{agentId}`. */
function openApiPath(url: string): string {
  return url.replaceAll(/:(\w+)/g, '{$1}');
}

function checkPath(url: string, id: string, parameters: readonly ParameterObject[]): void {
  const inPath = [...url.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '');
  const described = parameters.filter((each) => each.in === 'path').map(({ name }) => name);
  if (inPath.toSorted().join() === described.toSorted().join()) return;
  throw new Error(
    `${id}: the path ${url} has the parameters [${inPath.join(', ')}], described are [${described.join(', ')}].`,
  );
}

function parametersOf(
  fields: JsonSchema | undefined,
  place: ParameterObject['in'],
): ParameterObject[] {
  return Object.entries(fields?.properties ?? {}).map(([name, property]) => {
    const { description, ...schema } = typeof property === 'object' ? property : {};
    return {
      name,
      in: place,
      required: place === 'path' || (fields?.required ?? []).includes(name),
      ...(description !== undefined && { description }),
      schema,
    };
  });
}

function bodySchema({ id, body }: Operation, schemas: JsonSchemas): JsonSchema {
  const schema = named(schemas, `${id} body`);
  noteFields(schema, body?.notes ?? {}, schemas.components);
  return schema;
}

function answerObject(
  name: string,
  { description, schema, events, media }: OperationAnswer,
  schemas: JsonSchemas,
): ResponseObject {
  const content: Record<string, MediaObject> = {
    ...(schema !== undefined && { [JSON_MEDIA]: { schema: named(schemas, name) } }),
    ...(events !== undefined && { [EVENT_STREAM]: { schema: named(schemas, `${name} events`) } }),
    ...(media !== undefined && { [media]: { schema: { type: 'string' as const } } }),
  };
  return {
    description,
    headers: REQUEST_ID,
    ...(Object.keys(content).length > 0 && { content }),
  };
}

function named(schemas: JsonSchemas, name: string): JsonSchema {
  const schema = schemas.named.get(name);
  if (schema === undefined) throw new Error(`There is no schema ${name}.`);
  return schema;
}
