import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { PolicyAnswerer } from '../pool/policy-answerer.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

const AT = '2026-11-22T10:00:00.000Z';
const NO_DISK = new RoundhouseError('storage_failed', 'no disk');
const ARCHIVED = { code: 'session_archived' };

test('an archived session refuses prompts by every way, gives its process back, and can be read', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  const client = await fixture.pool.findClient('default', 'a');
  await client.archive(AT);
  await client.archive('2027-01-01T00:00:00.000Z');
  expect(client.row.archivedAt).toBe(AT);
  await expect(client.prompt(text('two'))).rejects.toMatchObject(ARCHIVED);
  await expect(fixture.pool.getSessionClient('a')).rejects.toMatchObject(ARCHIVED);
  await expect(fixture.pool.warm('default', 'a')).rejects.toMatchObject(ARCHIVED);
  expect(fixture.driver.alive).toEqual([]);
  const records = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 100 });
  expect(records.length).toBeGreaterThan(2);
  // Also when it comes into memory anew.
  await fixture.pool.close();
  const second = makePool({ store: fixture.store, host: fixture.host });
  const again = await second.pool.findClient('default', 'a');
  await expect(again.prompt(text('two'))).rejects.toMatchObject(ARCHIVED);
});

test('a session that runs, or is about to, is not archived', async () => {
  const fixture = makePool({ driver: { startMs: 100, script: scriptOf({ long: HANGS }) } });
  const client = await getClient(fixture);
  await client.prompt(text('long'));
  for (const phase of ['starting', 'streaming']) {
    expect(client.phase).toBe(phase);
    await expect(client.archive(AT)).rejects.toMatchObject({ code: 'session_busy' });
    await pass(200);
  }
  const interrupted = client.interrupt();
  await pass(100);
  await interrupted;
  await client.archive(AT);
});

test.each(['connecting', 'closing'] as const)(
  'a session that is archived while it gets a process, seen as %s, has none afterwards',
  async (status) => {
    const fixture = makePool({ driver: { startMs: 100, exitMs: 100 } });
    const client = await getClient(fixture);
    if (status === 'closing') {
      void fixture.pool.warm('default', client.name);
      await pass(100);
      void client.disconnect('test');
    }
    const warming = fixture.pool.warm('default', client.name).catch((error: unknown) => error);
    await pass(50);
    expect(client.status).toBe(status);
    const archiving = client.archive(AT);
    await pass(100);
    await archiving;
    expect(client.status).toBe('disconnected');
    expect(await warming).toMatchObject(ARCHIVED);
    await pass(300);
    expect([client.status, fixture.driver.alive]).toEqual(['disconnected', []]);
  },
);

test('a turn that waits for its client ends with the archiving', async () => {
  vi.spyOn(PolicyAnswerer.prototype, 'decide').mockReturnValue(new Promise(() => {}));
  const fixture = makePool({
    driver: { script: scriptOf({ ask: { steps: [{ ask: 'Write' }] } }) },
  });
  const client = await getClient(fixture);
  const { ended } = await client.prompt(text('ask'));
  await pass(10);
  expect(client.phase).toBe('awaiting-client');
  const archiving = client.archive(AT);
  await pass(10);
  await archiving;
  expect(await ended).toMatchObject({ reason: 'interrupted' });
  expect(client.busy).toBe(false);
});

test('where the store fails the session is as it was', async () => {
  const fixture = makePool();
  const client = await getClient(fixture);
  vi.spyOn(fixture.store, 'append').mockRejectedValueOnce(NO_DISK);
  await expect(client.archive(AT)).rejects.toMatchObject({ code: 'storage_failed' });
  expect(await ask(fixture, client.name, 'one')).toContain('You said: one');
});

test('an update writes a record of no turn and replaces the options, both or neither', async () => {
  const fixture = makePool();
  await fixture.pool.getSessionClient('a', { agent: { tools: ['Read'], maxModelRequests: 3 } });
  const client = await fixture.pool.findClient('default', 'a');
  const body = { type: 'session.updated', id: 'sevt_1', processed_at: AT } as const;
  vi.spyOn(fixture.store, 'append').mockRejectedValueOnce(NO_DISK);
  await expect(client.update(body, { tools: [] })).rejects.toMatchObject({
    code: 'storage_failed',
  });
  expect(client.row.options).toEqual({ tools: ['Read'], maxModelRequests: 3 });
  await client.update(body, { tools: [] });
  await client.update(body, undefined);
  expect(client.row.options).toEqual({ tools: [] });
  const records = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 10 });
  expect(records).toMatchObject([
    { turnId: null, body },
    { turnId: null, body },
  ]);
});

function getClient(fixture: ReturnType<typeof makePool>) {
  return fixture.pool
    .createSession({
      tenant: 'default',
      agent: {},
      mayTakeSpare: false,
      announce: () => Promise.resolve(),
    })
    .then(({ name }) => fixture.pool.findClient('default', name));
}
