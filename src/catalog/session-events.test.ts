import { expect, test, vi } from 'vitest';
import type { PromptFiles } from './prompt-files.ts';
import { SessionEvents, type SessionEventsParts } from './session-events.ts';
import { RoundhouseError } from '../errors.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { makePool, text } from '../../test/support/pool-fixture.ts';

useFakeClock();

const TENANT = 'default';
const promptFiles = { complete: () => Promise.reject(new Error('No prompt names a file.')) };
const PROMPT = { kind: 'prompt', content: text('one') } as const;

/** Of sessions that all exist; the one to read is `a`. */
async function start(pool: Parameters<typeof makePool>[0] = {}) {
  const store = new MemorySessionStore();
  const fixture = makePool({ ...pool, store });
  await fixture.pool.getSessionClient('a');
  const sessions = { get: () => Promise.resolve() };
  return {
    fixture,
    store,
    sessions,
    events: new SessionEvents({ sessions, pool: fixture.pool, promptFiles, store }),
  };
}

test('what is sent reaches a session that left memory just then', async () => {
  const { fixture, store, sessions } = await start({ pool: { maxSessions: 1 } });
  let overtaken = 0;
  const events = new SessionEvents({
    sessions,
    store,
    promptFiles,
    pool: {
      findClient: async (...call) => {
        const client = await fixture.pool.findClient(...call);
        if (overtaken < 2) {
          overtaken += 1;
          await pass(2_000);
          await fixture.pool.getSessionClient(`other ${overtaken}`);
          await pass(2_000);
        }
        return client;
      },
    },
  });
  await events.send(TENANT, 'a', [PROMPT]);
  await pass(1_000);
  const kept = await fixture.pool.readEvents(TENANT, 'a', { after: 0, limit: 100 });
  expect(overtaken).toBe(2);
  expect(kept.filter(({ type }) => type === 'user.message')).toHaveLength(1);
  expect(kept.at(-1)?.type).toBe('session.status_idle');
});

test('a session that leaves memory each time is a session that has moved', async () => {
  const { store, sessions, fixture } = await start();
  const moved = new RoundhouseError('session_moved', 'It left.');
  const client = await fixture.pool.findClient(TENANT, 'a');
  client.refusePrompts(moved);
  let asked = 0;
  const pool = {
    findClient: () => {
      asked += 1;
      return Promise.resolve(client);
    },
  };
  const events = new SessionEvents({ sessions, store, promptFiles, pool });
  await expect(events.send(TENANT, 'a', [PROMPT])).rejects.toBe(moved);
  expect(asked).toBe(5);
});

test('nothing is asked of a session that is not there', async () => {
  const { store, fixture } = await start();
  const missing = new RoundhouseError('not_found', 'There is none.');
  const sessions = { get: () => Promise.reject(missing) };
  const events = new SessionEvents({ sessions, store, promptFiles, pool: fixture.pool });
  const query = { order: 'asc', limit: 1, maxBytes: 1 } as const;
  await expect(events.send(TENANT, 'a', [PROMPT])).rejects.toBe(missing);
  await expect(events.list(TENANT, 'a', query)).rejects.toBe(missing);
  await expect(events.follow(TENANT, 'a', { kind: 'now' })).rejects.toBe(missing);
});

test('a reader begins now, at a number, or behind an event', async () => {
  const { events, fixture } = await start();
  // A session of the catalog has its id for a name; this one has not, and records are kept under the id.
  const { id } = await fixture.pool.findClient(TENANT, 'a');
  await events.send(TENANT, 'a', [PROMPT]);
  await pass(100);
  const { records } = await events.list(TENANT, id, { order: 'asc', limit: 100, maxBytes: 1e6 });
  const first = async (from: Parameters<SessionEvents['follow']>[2]): Promise<number> => {
    const leave = new AbortController();
    const { batches } = await events.follow(TENANT, 'a', from, leave.signal);
    for await (const [item] of batches) {
      leave.abort();
      return item?.record?.number ?? 0;
    }
    return 0;
  };
  expect(await first({ kind: 'number', number: 1 })).toBe(1);
  expect(await first({ kind: 'number', number: 3 })).toBe(3);
  expect(await first({ kind: 'event', eventId: records[1]?.body.id ?? '' })).toBe(3);
  const now = first({ kind: 'now' });
  await pass(10);
  await events.send(TENANT, 'a', [PROMPT]);
  expect(await now).toBe(records.length + 1);
});

test('files that a message names are read once, however often its session leaves memory', async () => {
  const { store, sessions, fixture } = await start();
  const client = await fixture.pool.findClient(TENANT, 'a');
  client.refusePrompts(new RoundhouseError('session_moved', 'It left.'));
  const complete = vi.fn<PromptFiles['complete']>(async (_tenant, _field, inputs) => [...inputs]);
  const findClient = vi.fn<SessionEventsParts['pool']['findClient']>(async () => client);
  const events = new SessionEvents({
    sessions,
    store,
    promptFiles: { complete },
    pool: { findClient },
  });
  const content = [{ type: 'image', source: { type: 'file', file_id: 'file_1' } } as const];
  const sent = events.send(TENANT, 'a', [{ kind: 'prompt', content }]);
  await expect(sent).rejects.toThrow('It left.');
  expect(findClient).toHaveBeenCalledTimes(5);
  expect(complete.mock.calls).toEqual([[TENANT, 'events', [{ kind: 'prompt', content }]]]);
});
