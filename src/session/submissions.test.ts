import { expect, test, vi } from 'vitest';
import type { SessionInput, SubmitRequest } from './session-input.ts';
import type { SessionClient } from './session-client.ts';
import type { Script } from '../agent/scripted/script.ts';
import { RoundhouseError } from '../errors.ts';
import { CrashableStore } from '../../test/support/crashable-store.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import {
  answerOf,
  collect,
  makePool,
  text,
  type PoolFixture,
} from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf, worksFor } from '../../test/support/scripts.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';

useFakeClock();

const prompt = (content: string, system?: string): SessionInput => ({
  kind: 'prompt',
  content: text(content),
  ...(system !== undefined && { system: [{ type: 'text', text: system }] }),
});
const INTERRUPT: SessionInput = { kind: 'interrupt' };
const KEY = { idempotency: { key: 'key 1', digest: 'a' } };

const script: Script = ({ text: said, system }) => ({
  steps: [{ text: [`${said}/${system ?? 'nothing'}`] }],
});

/** The session's records, as the types of their events. */
async function types(fixture: PoolFixture): Promise<string[]> {
  const records = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 1_000 });
  return records.map(({ type }) => type);
}

async function answers(fixture: PoolFixture): Promise<string[]> {
  const records = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 1_000 });
  return records.map((record) => answerOf([{ record }])).filter((answer) => answer !== '');
}

function open(options: Parameters<typeof makePool>[0] = {}): {
  fixture: PoolFixture;
  client: Promise<SessionClient>;
} {
  const fixture = makePool(options);
  return { fixture, client: fixture.pool.getSessionClient('a') };
}

test('prompts of one request run one after the other, and each event has the id that it was answered with', async () => {
  const { fixture, client } = open();
  const events = await (await client).submit([prompt('one'), prompt('two')]);
  expect(events.map(({ type }) => type)).toEqual(['user.message', 'user.message']);
  await pass(100);
  expect(await answers(fixture)).toEqual([
    'You said: one. Before: nothing.',
    'You said: two. Before: one.',
  ]);
  const kept = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 2 });
  expect(kept.map(({ body }) => body)).toEqual(events);
  expect((await client).metrics.messageCount).toBe(2);
});

test('everything of a request is kept in one write', async () => {
  const { fixture, client } = open();
  await client;
  const append = vi.spyOn(fixture.store, 'append');
  await (await client).submit([INTERRUPT, prompt('one', 'Be brief.'), prompt('two')]);
  expect(append.mock.calls[0]?.[2].map(({ type }) => type)).toEqual([
    'user.interrupt',
    'user.message',
    'system.message',
    'user.message',
  ]);
});

test.each<[string, SessionInput[], string]>([
  [
    'an empty third one',
    [prompt('a'), INTERRUPT, { kind: 'prompt', content: [] }],
    'invalid_request',
  ],
  ['one too many', [prompt('a'), prompt('b'), prompt('c'), prompt('d')], 'queue_full'],
])('%s keeps all from happening', async (_what, inputs, code) => {
  const { fixture, client } = open({
    pool: { maxQueuedTurns: 2 },
    driver: { script: scriptOf({ long: HANGS }) },
  });
  const session = await client;
  await expect(session.submit(inputs)).rejects.toMatchObject({ code });
  expect(await types(fixture)).toEqual([]);
  expect(session.busy).toBe(false);
  await session.prompt(text('long'));
  await settle();
  await expect(session.submit([INTERRUPT, ...inputs])).rejects.toMatchObject({ code });
  expect(session.status).toBe('active');
});

test('a key that may have no more turns is refused all of them, and has lost none', async () => {
  const { client, fixture } = open({
    tenantLimits: new Map([['default', { maxTurns: 2 }]]),
    driver: { script: scriptOf({ long: worksFor(1_000) }) },
  });
  const session = await client;
  const three = [prompt('long'), prompt('b'), prompt('c')];
  await expect(session.submit(three)).rejects.toMatchObject({ kind: { status: 429 } });
  await session.submit([prompt('long'), prompt('b')]);
  await expect(session.submit([prompt('c')])).rejects.toMatchObject({ kind: { status: 429 } });
  await pass(2_000);
  await session.submit([prompt('c')]);
  await pass(100);
  expect(await answers(fixture)).toHaveLength(3);
});

test('a store that takes nothing leaves no turn behind', async () => {
  const store = new CrashableStore(new MemorySessionStore());
  const { fixture, client } = open({ store });
  const session = await client;
  store.failAppends(1);
  const refused = session.submit([prompt('one'), prompt('two')]);
  await expect(refused).rejects.toMatchObject({ code: 'storage_failed' });
  expect(session.busy).toBe(false);
  await session.submit([prompt('three')]);
  await pass(100);
  expect(await answers(fixture)).toEqual(['You said: three. Before: nothing.']);
});

test('an interrupt before a prompt stops what runs, and the prompt runs then', async () => {
  const { fixture, client } = open({ driver: { script: scriptOf({ long: HANGS }) } });
  const session = await client;
  await session.submit([prompt('long')]);
  await pass(100);
  await session.submit([INTERRUPT, prompt('next')]);
  await pass(100);
  expect((await answers(fixture)).at(-1)).toBe('You said: next. Before: long.');
  expect((await types(fixture)).filter((type) => type.startsWith('session.'))).toEqual([
    'session.status_running',
    'session.status_idle',
    'session.status_running',
    'session.status_idle',
  ]);
});

test('an interrupt behind a prompt stops that prompt, where nothing else runs', async () => {
  const { fixture, client } = open();
  const session = await client;
  await session.disconnect('test');
  await session.submit([prompt('one'), INTERRUPT]);
  await pass(100);
  expect(await answers(fixture)).toEqual([]);
  expect((await types(fixture)).at(-1)).toBe('session.status_idle');
  expect(session.busy).toBe(false);
});

test('an interrupt of nothing is kept, and changes nothing', async () => {
  const { fixture, client } = open();
  const session = await client;
  await session.submit([INTERRUPT]);
  expect(await types(fixture)).toEqual(['user.interrupt']);
  expect(session.busy).toBe(false);
  expect(session.metrics.messageCount).toBe(0);
});

test('what the operator adds reaches the agent with the prompt, also from a host that died before', async () => {
  const memory = new MemorySessionStore();
  const store = new CrashableStore(memory);
  const first = open({ store, driver: { script: (c) => (c.text === 'long' ? HANGS : script(c)) } });
  const session = await first.client;
  await session.submit([prompt('one', 'Be brief.')]);
  await pass(100);
  expect(await answers(first.fixture)).toEqual(['one/Be brief.']);
  await session.submit([prompt('long'), prompt('two', 'Be kind.')]);
  await pass(100);
  store.crash();
  const second = makePool({ store: memory, driver: { script } });
  await second.pool.recover();
  second.pool.resumePrompts();
  await pass(100);
  expect((await answers(second)).at(-1)).toBe('two/Be kind.');
});

const FILE = { type: 'image', source: { type: 'file', file_id: 'file_1' } } as const;
const named = (id: string): SessionInput => ({
  kind: 'prompt',
  content: [{ ...FILE, source: { ...FILE.source, file_id: id } }],
});
/** Gives the agent a text in the place of each image. */
const complete: SubmitRequest['complete'] = async (inputs) =>
  inputs.map((input) =>
    input.kind === 'prompt'
      ? { ...input, given: input.content.flatMap((b) => (b.type === 'image' ? text('BYTES') : b)) }
      : input,
  );

test('the agent is given what a request was completed with, and readers see what was sent', async () => {
  const { fixture, client } = open();
  const session = await client;
  const over = new AbortController();
  const live = collect(session.read({ after: 0, signal: over.signal }));
  const [event] = await session.submit([named('file_1')], { complete });
  expect(event).toMatchObject({ type: 'user.message', content: [FILE] });
  await pass(100);
  expect(await answers(fixture)).toEqual(['You said: BYTES. Before: nothing.']);
  over.abort();
  const [first] = await live;
  expect(first?.record?.body).toEqual(event);
  expect(first?.record).not.toHaveProperty('given');
  const [kept] = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 1 });
  expect(kept).toEqual(first?.record);
});

test('what the agent is given survives the host, and is kept no longer than that takes', async () => {
  const memory = new MemorySessionStore();
  const store = new CrashableStore(memory);
  const first = open({ store, driver: { script: () => HANGS } });
  const session = await first.client;
  await session.submit([prompt('long'), named('file_1')], { complete });
  await pass(100);
  store.crash();
  const second = makePool({ store: memory });
  await second.pool.recover();
  const [waiting] = await memory.unfinishedTurns();
  const { turnId } = waiting?.prompt ?? {};
  expect(await memory.givenContent(session.id, turnId ?? '')).toEqual(text('BYTES'));
  second.pool.resumePrompts();
  await pass(100);
  expect((await answers(second)).at(-1)).toContain('You said: BYTES.');
  expect(await memory.givenContent(session.id, turnId ?? '')).toBeUndefined();
});

test('what the agent is given is read when its turn has come, and a turn fails that can not have it', async () => {
  const { fixture, client } = open({
    driver: { script: (context) => (context.text === 'long' ? HANGS : script(context)) },
  });
  const session = await client;
  const read = vi.spyOn(fixture.store, 'givenContent');
  await session.submit([prompt('long'), named('file_1'), named('file_2')], { complete });
  await pass(1_000);
  expect(read).not.toHaveBeenCalled();
  const process = session.clientId;
  read.mockRejectedValueOnce(new RoundhouseError('storage_failed', 'The disk is gone.'));
  await session.interrupt();
  await pass(1_000);
  expect(read).toHaveBeenCalledTimes(2);
  const records = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 100 });
  expect(records.flatMap(({ detail }) => detail.turnEnd?.error?.code ?? [])).toEqual([
    'turn_interrupted',
    'storage_failed',
  ]);
  expect((await answers(fixture)).at(-1)).toBe('BYTES/nothing');
  expect(session.clientId).toBe(process);
});

test('a request is completed once, and refused as a whole where it can not be', async () => {
  const { fixture, client } = open();
  const session = await client;
  const first = await session.submit([named('file_1')], { ...KEY, complete });
  await pass(100);
  const never = vi.fn<NonNullable<SubmitRequest['complete']>>(() =>
    Promise.reject(new RoundhouseError('not_found', 'It was deleted.')),
  );
  expect(await session.submit([named('file_1')], { ...KEY, complete: never })).toEqual(first);
  expect(never).not.toHaveBeenCalled();
  const before = await types(fixture);
  const refused = session.submit([prompt('one'), named('file_1')], { complete: never });
  await expect(refused).rejects.toThrow(expect.objectContaining({ code: 'not_found' }));
  await pass(100);
  expect(await types(fixture)).toEqual(before);
});

test('a request that is sent again is answered as it was, and prompts once', async () => {
  const { fixture, client } = open();
  const session = await client;
  const inputs = [prompt('one', 'Be brief.'), INTERRUPT];
  const first = await session.submit(inputs, KEY);
  await pass(1_000);
  expect(await session.submit(inputs, KEY)).toEqual(first);
  expect((await types(fixture)).filter((type) => type === 'user.message')).toHaveLength(1);
});

test('of two that arrive at once one is done, and both are answered with it', async () => {
  const { fixture, client } = open();
  const session = await client;
  const [first, second] = await Promise.all([
    session.submit([prompt('one')], KEY),
    session.submit([prompt('one')], KEY),
  ]);
  expect(second).toEqual(first);
  await pass(100);
  expect(await answers(fixture)).toHaveLength(1);
});

test('another request under the same key is refused, at once or later', async () => {
  const { client } = open();
  const session = await client;
  const other = { idempotency: { ...KEY.idempotency, digest: 'b' } };
  const first = session.submit([prompt('one')], KEY);
  const refusal = { code: 'idempotency_conflict', kind: { status: 409, retryable: false } };
  await expect(session.submit([prompt('two')], other)).rejects.toMatchObject(refusal);
  await first;
  await expect(session.submit([prompt('two')], other)).rejects.toMatchObject(refusal);
});

test('a request that failed is done when it is sent again', async () => {
  const store = new CrashableStore(new MemorySessionStore());
  const { fixture, client } = open({ store });
  const session = await client;
  store.failAppends(1);
  await expect(session.submit([prompt('one')], KEY)).rejects.toBeInstanceOf(RoundhouseError);
  await session.submit([prompt('one')], KEY);
  await pass(100);
  expect(await answers(fixture)).toHaveLength(1);
});

test('a key holds for its session alone, and beyond the life of the host', async () => {
  const store = new MemorySessionStore();
  const { fixture, client } = open({ store });
  const events = await (await client).submit([prompt('one')], KEY);
  await pass(100);
  await fixture.pool.close();
  const next = makePool({ store });
  await next.pool.recover();
  const again = await next.pool.getSessionClient('a');
  expect(await again.submit([prompt('one')], KEY)).toEqual(events);
  const other = await next.pool.getSessionClient('b');
  expect(await other.submit([prompt('one')], KEY)).not.toEqual(events);
});
