import type { DocumentedOperation } from './answer-checker.ts';
import type { FuzzRequest } from './request-arbitrary.ts';

/** Ids that name nothing, in forms that servers have stumbled over. */
const ODD_IDS = [
  'agent_000000000000000000000000',
  '-1',
  '__proto__',
  'constructor',
  '..',
  '../../etc/passwd',
  "' or 1=1 --",
  'a b',
  '%',
  '\u0000',
  '\ud83d\ude80é',
  'x'.repeat(3_000),
];

/** Values of a query or a header that are none. */
const ODD_VALUES = ['', '-1', '1.5', '9'.repeat(21), '[]', '%', '\u0000', 'x'.repeat(500)];

/** Bodies for every operation, and further ones for those that take a body. */
const ODD_BODIES = ['', '{', 'null', '{"a":1}'];
const MORE_BODIES = [
  '[]',
  '1',
  '"text"',
  '{"a":1}{"b":2}',
  '{"a":1,}',
  '\u0000',
  '{"__proto__":{"a":1}}',
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  `{"a":"${'x'.repeat(300_000)}"}`,
];

const ODD_TYPES = ['text/plain', 'multipart/form-data; boundary=x', ''];
const MORE_TYPES = [
  'application/xml',
  'application/x-www-form-urlencoded',
  'application/json; charset=utf-16',
  'nonsense',
];

/** Makes one thing of a request wrong. */
export type Spoil = (request: FuzzRequest) => FuzzRequest;

/** Everything that is tried with an operation besides changes within its body, which are too many for a list. */
export function spoilsOf({ path, operation }: DocumentedOperation): Spoil[] {
  const { parameters = [], requestBody } = operation;
  const queries = parameters.filter((each) => each.in === 'query').map(({ name }) => name);
  const headers = parameters.filter((each) => each.in === 'header').map(({ name }) => name);
  const takesBody = requestBody !== undefined;
  return [
    ...(path.includes('{') ? ODD_IDS.map(withId) : []),
    ...queries.flatMap((name) => ODD_VALUES.map((value) => withQuery(name, value))),
    ...queries.map(
      (name): Spoil =>
        (request) =>
          withQuery(name, '1')(withQuery(name, '2')(request)),
    ),
    withQuery('unknown', '1'),
    ...headers.flatMap((name) => ODD_VALUES.map((value) => withHeader(name, value))),
    ...[...ODD_TYPES, ...(takesBody ? MORE_TYPES : [])].map((type) => withBody('{"a":1}', type)),
    ...[...ODD_BODIES, ...(takesBody ? MORE_BODIES : [])].map((body) =>
      withBody(body, 'application/json'),
    ),
  ];
}

/** What Node lets into a header. */
export function headerSafe(value: string): string {
  return value.replaceAll(/[^\x20-\x7e]/g, '?');
}

function withQuery(name: string, value: string): Spoil {
  return (request) => ({
    ...request,
    query: [...request.query, [name, value]],
    wrong: `query ${name}`,
  });
}

function withHeader(name: string, value: string): Spoil {
  return (request) => ({
    ...request,
    headers: { ...request.headers, [name]: headerSafe(value) },
    wrong: `header ${name}`,
  });
}

/** Of several ids in a path the last is the odd one: it is looked up behind the others. */
function withId(id: string): Spoil {
  return (request) => {
    const last = Object.keys(request.params).at(-1);
    if (last === undefined) return request;
    return { ...request, params: { ...request.params, [last]: id }, wrong: `id ${last}` };
  };
}

function withBody(body: string, type: string): Spoil {
  return (request) => ({
    ...request,
    headers: { ...request.headers, 'content-type': type },
    body,
    wrong: `body of ${type || 'no type'}`,
  });
}
