import * as fc from 'fast-check';
import type {
  MediaObject,
  OpenApiDocument,
  ParameterObject,
} from '../../../src/http/openapi/document-types.ts';
import type { DocumentedOperation } from './answer-checker.ts';
import { mutated, mutation, type Mutation } from './mutation.ts';
import { headerSafe, spoilsOf } from './spoils.ts';
import { arbitraryOf, type ArbitraryOptions } from './schema-arbitrary.ts';

/**
 * A request for an operation, before ids are put in: `{agentId:2}` in its path or body stands for the third agent that there
 * is at that moment.
 */
export interface FuzzRequest {
  readonly operationId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  /** JSON, or what was made of it. */
  readonly body: string | undefined;
  /** What is wrong with it on purpose; undefined when nothing is. */
  readonly wrong: string | undefined;
}

/** Requests for one operation: as documented, or with one thing wrong. */
export function requestArbitrary(
  operation: DocumentedOperation,
  document: OpenApiDocument,
  known: ArbitraryOptions['known'],
): fc.Arbitrary<FuzzRequest> {
  const valid = validRequest(operation, { components: document.components.schemas, known });
  const spoiled = fc
    .tuple(valid, fc.constantFrom(...spoilsOf(operation)))
    .map(([request, spoil]) => spoil(request));
  if (operation.operation.requestBody === undefined) return fc.oneof(valid, spoiled);
  const changed = fc
    .tuple(valid, mutation())
    .map(([request, change]) => withMutation(request, change));
  return fc.oneof(
    { weight: 3, arbitrary: valid },
    { weight: 1, arbitrary: spoiled },
    { weight: 2, arbitrary: changed },
  );
}

/** The request of the documentation's own example, for the first thing that there is. */
export function exampleRequest(
  { operation }: DocumentedOperation,
  known: ArbitraryOptions['known'],
): FuzzRequest {
  const { operationId, parameters = [], requestBody } = operation;
  const [media, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const ids = parameters.filter((each) => each.in === 'path');
  return {
    operationId,
    params: Object.fromEntries(ids.map(({ name }) => [name, `{${name}:0}`])),
    query: [],
    headers: media === undefined ? {} : { 'content-type': media },
    body: content === undefined ? undefined : JSON.stringify(withKnown(content.example, known)),
    wrong: undefined,
  };
}

/** Requests for one operation as documented, for things that exist. */
export function validRequest(
  { operation }: DocumentedOperation,
  options: ArbitraryOptions,
): fc.Arbitrary<FuzzRequest> {
  const { parameters = [], requestBody } = operation;
  const place = (where: string): Record<string, fc.Arbitrary<string[] | undefined>> =>
    Object.fromEntries(
      parameters
        .filter((each) => each.in === where)
        .map((each) => [each.name, parameterText(each, options)]),
    );
  const params = parameters
    .filter((each) => each.in === 'path')
    .map(({ name }) => [name, fc.nat({ max: 3 }).map((choice) => `{${name}:${choice}}`)] as const);
  const [media, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  return fc
    .record({
      params: fc.record(Object.fromEntries(params)),
      query: fc.record(place('query')),
      headers: fc.record(place('header')),
      // A stream instead of a page, where that is a matter of the header.
      accept: fc.constantFrom(undefined, undefined, 'text/event-stream'),
      body: content === undefined ? fc.constant(undefined) : bodyOf(content, options),
    })
    .map(({ params: chosen, query, headers, accept, body }) => ({
      operationId: operation.operationId,
      params: chosen,
      query: given(query).flatMap(([name, value]) =>
        value.map((each): [string, string] => [name, each]),
      ),
      headers: {
        ...Object.fromEntries(
          given(headers).map(([name, value]) => [name, headerSafe(value.join(', '))]),
        ),
        ...(accept !== undefined && { accept }),
        ...(media !== undefined && { 'content-type': media }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      wrong: undefined,
    }));
}

/** The example, which has to work, or what the schema allows, which may be refused for what no schema can say. */
function bodyOf(
  { schema, example }: MediaObject,
  options: ArbitraryOptions,
): fc.Arbitrary<unknown> {
  return fc.oneof(fc.constant(withKnown(example, options.known)), {
    weight: 3,
    arbitrary: arbitraryOf(schema, options),
  });
}

/** An example has ids that nothing has; in their place what there is. */
function withKnown(example: unknown, known: ArbitraryOptions['known']): unknown {
  if (typeof example !== 'object' || example === null) return example;
  const entries = Object.entries(example).map(([name, value]) => [name, known[name]?.[0] ?? value]);
  return Object.fromEntries(entries);
}

function parameterText(
  { name, schema, required }: ParameterObject,
  options: ArbitraryOptions,
): fc.Arbitrary<string[] | undefined> {
  const known = options.known[name];
  const value = known === undefined ? arbitraryOf(schema, options) : fc.constantFrom(...known);
  // Several values are the parameter repeated.
  const text = value.map((each) => [each].flat().map(String));
  return required ? text : fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, text);
}

function given(fields: Record<string, string[] | undefined>): [string, string[]][] {
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
}

/** With one thing in its body changed. */
function withMutation(request: FuzzRequest, change: Mutation): FuzzRequest {
  if (request.body === undefined) return request;
  const { body, wrong } = mutated(JSON.parse(request.body), change);
  return { ...request, body: JSON.stringify(body), wrong };
}
