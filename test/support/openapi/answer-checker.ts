import { z } from 'zod';
import type {
  JsonSchema,
  OpenApiDocument,
  OperationObject,
  ResponseObject,
} from '../../../src/http/openapi/document-types.ts';

/** An operation of a document. */
export interface DocumentedOperation {
  readonly method: string;
  /** With `{parameters}`. */
  readonly path: string;
  readonly operation: OperationObject;
}

/** A document that a server serves. */
export async function documentFrom(url: string): Promise<OpenApiDocument> {
  const response = await fetch(`${url}/openapi.json`);
  const document: OpenApiDocument = JSON.parse(await response.text());
  return document;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Of a stream: what was read of it. */
  readonly body: string;
}

/** All operations of a document. */
export function operationsOf({ paths }: OpenApiDocument): DocumentedOperation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}

/**
 * Holds answers against the document, more strictly than a client should: a field that the document does not know is a
 * mistake here, because then it was forgotten.
 */
export class AnswerChecker {
  readonly operations: readonly DocumentedOperation[];
  readonly #document: OpenApiDocument;
  readonly #definitions: Record<string, JsonSchema>;
  /** By the text of the schema: most errors have the same. */
  readonly #schemas = new Map<string, z.ZodType>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.operations = operationsOf(document);
    this.#definitions = Object.fromEntries(
      Object.entries(document.components.schemas).map(([id, schema]) => [
        id,
        relocated(closed(schema)),
      ]),
    );
  }

  /** The operation of that id. */
  named(operationId: string): DocumentedOperation {
    const found = this.operations.find(({ operation }) => operation.operationId === operationId);
    if (found === undefined) throw new Error(`There is no operation ${operationId}.`);
    return found;
  }

  /** The operation that a request is for; undefined when there is none. */
  find(method: string, pathname: string): DocumentedOperation | undefined {
    const fitting = this.operations.filter(
      (each) => each.method === method && pathPattern(each.path).test(pathname),
    );
    // `/v1/agents/search` before `/v1/agents/{agentId}`.
    return fitting.toSorted((a, b) => countParameters(a.path) - countParameters(b.path))[0];
  }

  /** What is wrong with an answer, in words; empty when all is as documented. */
  mistakes({ operation }: DocumentedOperation, answer: Answer): string[] {
    const response = this.#response(operation, answer.status);
    if (response === undefined) return [`the status ${answer.status} is not documented`];
    const missing = Object.keys(response.headers ?? {}).filter(
      (name) => answer.headers[name] === undefined,
    );
    return [
      ...missing.map((name) => `the header ${name} is missing`),
      ...this.#bodyMistakes(response, answer),
    ];
  }

  #response(operation: OperationObject, status: number): ResponseObject | undefined {
    const response = operation.responses[String(status)];
    if (response === undefined || !('$ref' in response)) return response;
    return this.#document.components.responses[
      response.$ref.slice('#/components/responses/'.length)
    ];
  }

  #bodyMistakes(response: ResponseObject, { headers, body }: Answer): string[] {
    const media = (headers['content-type'] ?? '').split(';')[0] ?? '';
    const schema = (response.content?.[media] ?? response.content?.['*/*'])?.schema;
    if (schema === undefined) {
      const documented = Object.keys(response.content ?? {}).join(', ') || 'no body';
      return response.content === undefined && body === ''
        ? []
        : [`the content type is ${media}, documented is ${documented}`];
    }
    if (media === 'text/event-stream') {
      return eventsIn(body).flatMap((event) => this.#mistakesOf(schema, event));
    }
    if (media !== 'application/json' || response.content?.[media] === undefined) return [];
    const parsed: unknown = JSON.parse(body);
    const codes = response['x-error-codes'];
    return [
      ...this.#mistakesOf(schema, parsed),
      ...(codes === undefined || codes.includes(errorCodeOf(parsed) ?? '')
        ? []
        : [`the code ${errorCodeOf(parsed)} is not one of ${codes.join(', ')}`]),
    ];
  }

  #mistakesOf(schema: JsonSchema, value: unknown): string[] {
    const text = JSON.stringify(schema);
    let compiled = this.#schemas.get(text);
    if (compiled === undefined) {
      compiled = z.fromJSONSchema({ ...relocated(closed(schema)), $defs: this.#definitions });
      this.#schemas.set(text, compiled);
    }
    const result = compiled.safeParse(value);
    if (result.success) return [];
    return [
      `the body is not as documented: ${z.prettifyError(result.error)}\n${JSON.stringify(value)}`,
    ];
  }
}

/** The code of an error body. */
export function errorCodeOf(body: unknown): string | undefined {
  return errorShape.safeParse(body).data?.error.details.error_code;
}

const errorShape = z.object({ error: z.object({ details: z.object({ error_code: z.string() }) }) });

function pathPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.\\[\]]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

function countParameters(path: string): number {
  return path.split('{').length;
}

/** The same schema, with every object that says nothing of other fields having none. */
function closed(schema: JsonSchema): JsonSchema {
  const copy: JsonSchema = structuredClone(schema);
  close(copy);
  return copy;
}

function close(schema: unknown): void {
  if (!isSchema(schema)) return;
  const { properties = {}, items, additionalProperties, anyOf = [], oneOf = [] } = schema;
  const inside = [...Object.values(properties), items, additionalProperties, ...anyOf, ...oneOf];
  for (const each of inside.flat()) close(each);
  if (schema.properties !== undefined) schema.additionalProperties ??= false;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null;
}

function relocated(schema: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema).replaceAll('"#/components/schemas/', '"#/$defs/');
  const moved: JsonSchema = JSON.parse(text);
  return moved;
}

/** The data of the events of a stream that are complete. */
function eventsIn(text: string): unknown[] {
  const blocks = text.split('\n\n').slice(0, -1);
  return blocks.flatMap((block): unknown[] => {
    const data = /^data: (.*)$/m.exec(block)?.[1];
    return data === undefined ? [] : [JSON.parse(data)];
  });
}
