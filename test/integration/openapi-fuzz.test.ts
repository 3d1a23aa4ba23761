import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ApiWorld, type Snapshot } from '../support/openapi/api-world.ts';
import type { Answer, DocumentedOperation } from '../support/openapi/answer-checker.ts';
import {
  exampleRequest,
  requestArbitrary,
  validRequest,
  type FuzzRequest,
} from '../support/openapi/request-arbitrary.ts';
import { spoilsOf } from '../support/openapi/spoils.ts';
import { encoded, type WireRequest } from '../support/openapi/send.ts';

/** Another seed finds other mistakes; a failure prints the one that it was found with. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150);
/** Requests in the form of the schema that an operation may refuse for other reasons before it must grant one. */
const ATTEMPTS = 30;
/** Requests of one run, in their order. */
const MAX_REQUESTS = 4;

/** Values that only this server knows. */
const KNOWN = {
  model: ['sonnet', 'opus'],
  'x-session-id': ['{sessionId:0}', '{sessionId:1}', 'another-one'],
  'x-session-limits': ['{}', '{"silenceMs":20000}', '{"silenceMs":1}', 'no JSON'],
  'x-turn-limits': ['{}', '{"turnMs":60000}', '[]'],
  'x-workspace': ['/nowhere'],
  agent: ['{agentId:0}', { type: 'agent', id: '{agentId:0}' }],
  environment_id: ['{environmentId:0}'],
  'last-event-id': ['0', '2', '999'],
};

/** For keys that may run the server; ours may not. */
const FOR_ADMINS = ['drain'];

/** Operations after which a thing can't be used any more. */
const ENDS = /^(delete|archive)/;

/** The request as it is sent, with the ids that there are now. */
function wireOf(
  { params, query, headers, body }: FuzzRequest,
  { method, path }: DocumentedOperation,
  world: ApiWorld,
): WireRequest {
  const withIds = (text: string): string =>
    text.replaceAll(/\{(\w+):(\d+)\}/g, (_, name: string, choice: string) =>
      world.known(name, Number(choice)),
    );
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(withIds(params[name] ?? '')),
  );
  const search = query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
  const given = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, withIds(value)]),
  );
  const content =
    body === undefined ? { headers: {} } : encoded(given['content-type'] ?? '', withIds(body));
  return {
    method,
    target: search === '' ? filled : `${filled}?${search}`,
    ...content,
    headers: { ...given, ...content.headers },
  };
}

/** What became of a request. */
interface Checked {
  readonly status: number;
  /** Everything that must not be, as a story; empty when all is well. */
  readonly problem: string;
}

async function check(world: ApiWorld, request: FuzzRequest): Promise<Checked> {
  const operation = world.checker.named(request.operationId);
  const wire = wireOf(request, operation, world);
  await world.settled();
  const before = await world.snapshot();
  const answer = await world.send(wire).catch((error: unknown) => {
    throw new Error(`${wire.method} ${wire.target} (${request.wrong}) had no answer.`, {
      cause: error,
    });
  });
  await world.settled();
  const mistakes = world.checker.mistakes(operation, answer);
  if (answer.status >= 500 && answer.status !== 503) mistakes.push('the server failed');
  if (answer.status >= 400) {
    const after = await world.snapshot();
    mistakes.push(...differences(before, after));
  }
  const problem = mistakes.length === 0 ? '' : story(wire, request, answer, mistakes);
  return { status: answer.status, problem };
}

function differences(before: Snapshot, after: Snapshot): string[] {
  return Object.keys({ ...before, ...after }).flatMap((name) => {
    const [was, is] = [before[name] ?? '', after[name] ?? ''];
    if (was === is) return [];
    const gone = was.split('\n').filter((line) => !is.includes(line));
    const come = is.split('\n').filter((line) => !was.includes(line));
    return [`it was refused and changed ${name}:`, ...gone.map(minus), ...come.map(plus)];
  });
}

const minus = (line: string): string => `  - ${line}`;
const plus = (line: string): string => `  + ${line}`;

function story(
  { method, target, headers, body }: WireRequest,
  { wrong }: FuzzRequest,
  answer: Answer,
  mistakes: readonly string[],
): string {
  return [
    `${method} ${target.slice(0, 300)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value.slice(0, 200)}`),
    (body ?? '').slice(0, 2_000),
    `(${wrong ?? 'nothing'} is wrong with it on purpose)`,
    `was answered with ${answer.status}: ${answer.body.slice(0, 1_000)}`,
    ...mistakes.map((mistake) => `- ${mistake}`),
  ].join('\n');
}

it('every operation can succeed with a request that is made of its description', async () => {
  const world = await ApiWorld.open();
  await world.makeEverything();
  const options = { components: world.document.components.schemas, known: KNOWN };
  const failed: string[] = [];
  for (const operation of world.checker.operations) {
    const { operationId, responses } = operation.operation;
    // Some operations are there to say that they are not offered.
    const isOffered = Object.keys(responses).some((status) => status.startsWith('2'));
    if (!isOffered || FOR_ADMINS.includes(operationId)) continue;
    const requests = fc.sample(validRequest(operation, options), { seed: SEED, numRuns: ATTEMPTS });
    let granted = false;
    for (const request of requests) {
      const { status, problem } = await check(world, request);
      expect(problem).toBe('');
      granted = status < 300;
      if (granted) break;
    }
    if (!granted) failed.push(operationId);
    if (ENDS.test(operationId)) await world.makeEverything();
  }
  expect(failed).toEqual([]);
});

it('whatever is odd about an id, a parameter or a body is answered as documented', async () => {
  const world = await ApiWorld.open();
  await world.makeEverything();
  for (const operation of world.checker.operations) {
    for (const spoil of spoilsOf(operation)) {
      const { status, problem } = await check(world, spoil(exampleRequest(operation, KNOWN)));
      expect(problem).toBe('');
      if (status < 300 && ENDS.test(operation.operation.operationId)) await world.makeEverything();
    }
  }
}, 60_000);

it('every request is answered as documented, and a refused one changes nothing', async () => {
  const world = await ApiWorld.open();
  const { document } = world;
  const requests = world.checker.operations.map((each) => requestArbitrary(each, document, KNOWN));
  await world.makeEverything();
  const run = async (sequence: readonly FuzzRequest[]): Promise<void> => {
    for (const request of sequence) {
      const { status, problem } = await check(world, request);
      if (problem !== '') throw new Error(problem);
      // There is always something that can be changed.
      if (status < 300 && ENDS.test(request.operationId)) await world.makeEverything();
    }
  };
  const sequences = fc.array(fc.oneof(...requests), { minLength: 1, maxLength: MAX_REQUESTS });
  const found = await fc.check(fc.asyncProperty(sequences, run), { seed: SEED, numRuns: RUNS });
  // The last of the failing ones: the simplest.
  const report = [fc.defaultReportMessage(found), String(found.errorInstance)].join('\n\n');
  expect(found.failed ? report : '').toBe('');
}, 120_000);
