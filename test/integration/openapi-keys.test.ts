import { expect, it } from 'vitest';
import { ApiWorld, MAKERS, SHARED, type Key } from '../support/openapi/api-world.ts';
import { encoded } from '../support/openapi/send.ts';
import {
  errorCodeOf,
  type Answer,
  type DocumentedOperation,
} from '../support/openapi/answer-checker.ts';

/** Sessions by name: the same name under two keys is two sessions, and a prompt makes the one that is not there. */
const MAKES_ITS_OWN = ['createMessageOnSession'];

function parametersOf({ path }: DocumentedOperation): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}

/** The request of the documentation's own example, with these ids. */
function ask(
  world: ApiWorld,
  { method, path, operation }: DocumentedOperation,
  ids: Readonly<Record<string, string>>,
  key: Key,
): Promise<Answer> {
  const [media, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const body =
    media === undefined ? { headers: {} } : encoded(media, JSON.stringify(content?.example));
  return world.send(
    {
      method,
      target: path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
        encodeURIComponent(ids[name] ?? ''),
      ),
      ...body,
    },
    key,
  );
}

async function idsOf(world: ApiWorld, key: Key): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  for (const parameter of Object.keys(MAKERS)) ids[parameter] = await world.make(parameter, key);
  return ids;
}

it('every parameter of a path names something that a test can make', async () => {
  const { checker } = await ApiWorld.open();
  const names = new Set(checker.operations.flatMap(parametersOf));
  expect([...names].toSorted()).toEqual(
    [...Object.keys(MAKERS), ...Object.keys(SHARED)].toSorted(),
  );
});

it("another key's things are not there, whatever is asked of them, and nothing happens to them", async () => {
  const world = await ApiWorld.open();
  const ids = await idsOf(world, 'key-a');
  const operations = world.checker.operations.filter((each) =>
    parametersOf(each).some((name) => name in MAKERS),
  );
  expect(operations.length).toBeGreaterThan(10);
  const before = await world.snapshot();
  const answers: Record<string, string> = {};
  for (const each of operations) {
    const { operationId } = each.operation;
    if (MAKES_ITS_OWN.includes(operationId)) continue;
    const { status, body } = await ask(world, each, ids, 'key-b');
    answers[operationId] = `${status} ${errorCodeOf(JSON.parse(body))}`;
  }
  expect(
    Object.entries(answers).filter(([, told]) => !/^404 (session_)?not_found$/.test(told)),
  ).toEqual([]);
  expect(await world.snapshot()).toEqual(before);
});

it('the same name under two keys is two sessions', async () => {
  const world = await ApiWorld.open();
  const ids = await idsOf(world, 'key-a');
  const read = world.checker.named('listSessionRecords');
  const before = await ask(world, read, ids, 'key-a');
  for (const operationId of MAKES_ITS_OWN) {
    const { status } = await ask(world, world.checker.named(operationId), ids, 'key-b');
    expect(status).toBe(200);
  }
  expect((await ask(world, read, ids, 'key-a')).body).toBe(before.body);
  expect((await ask(world, read, ids, 'key-b')).body).not.toBe(before.body);
});

it("no list shows another key's things", async () => {
  const world = await ApiWorld.open();
  const own = Object.values(await idsOf(world, 'key-a'));
  const others = Object.values(await idsOf(world, 'key-b'));
  const lists = world.checker.operations.filter(
    (each) => each.method === 'GET' && parametersOf(each).length === 0,
  );
  const seen = new Set<string>();
  for (const each of lists) {
    const { body } = await ask(world, each, {}, 'key-a');
    expect(others.filter((id) => body.includes(id))).toEqual([]);
    for (const id of own.filter((one) => body.includes(one))) seen.add(id);
  }
  expect([...seen].toSorted()).toEqual(own.toSorted());
});
