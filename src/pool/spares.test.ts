import { afterEach, describe, expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { useFakeClock } from '../../test/support/fake-clock.ts';

const SPARES = { max: 2, idleMs: 60_000, maxAgeMs: 600_000, reserveBytes: 0 };

let fixture: PoolFixture;

useFakeClock();

afterEach(() => fixture.pool.close());

function counted(name: string): Readonly<Record<string, string>>[] {
  return fixture.counted.filter((one) => one.name === name).map(({ labels }) => labels);
}

async function settle(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

describe('spares', () => {
  test('the first session of a configuration teaches the pool, the second finds a process ready', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    expect(fixture.pool.stats().spares).toEqual({ ready: 1, starting: 0 });
    const [cold, spare] = fixture.driver.processes;
    // Who has a prompt at hand does not wait for it.
    expect(cold?.warmUps).toBe(0);
    expect(spare?.warmUps).toBe(1);
    const client = await fixture.pool.getSessionClient('two');
    expect(spare?.spec.sessionId).toBe(client.id);
    expect(client.status).toBe('idle');
    expect(await ask(fixture, 'two', 'hi')).toBe('You said: hi. Before: nothing.');
    expect(counted('roundhouse_spares_total')).toEqual([
      { outcome: 'miss', reason: 'new_configuration', folder: 'own' },
      { outcome: 'hit', reason: '', folder: 'own' },
    ]);
  });

  test('a session on a spare goes on after its process is taken and after a restart', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    await ask(fixture, 'two', 'first');
    await fixture.pool.close();
    fixture = makePool({ pool: { spares: SPARES }, store: fixture.store, host: fixture.host });
    await fixture.pool.recover();
    expect(await ask(fixture, 'two', 'second')).toBe('You said: second. Before: first.');
  });

  test('another configuration does not get it', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    const systemPrompt = { mode: 'replace', text: 'Be brief.' } as const;
    const client = await fixture.pool.getSessionClient('two', { agent: { systemPrompt } });
    await client.prompt(text('hi'));
    const spec = fixture.driver.processes.find(
      (process) => process.spec.sessionId === client.id,
    )?.spec;
    expect(spec?.options.systemPrompt).toEqual(systemPrompt);
    expect(counted('roundhouse_spares_total').at(-1)).toEqual({
      outcome: 'miss',
      reason: 'new_configuration',
      folder: 'own',
    });
  });

  test('a call that brings a history never takes one', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    const history = [
      { role: 'user', content: 'earlier' } as const,
      { role: 'assistant', content: 'yes' } as const,
    ];
    const client = await fixture.pool.getSessionClient('two', { history });
    expect(fixture.pool.stats().spares.ready).toBe(1);
    expect(client.status).toBe('idle');
  });

  test('a spare that has reached a server of its tenant goes to nobody else', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    const server = {
      name: 'x',
      url: 'https://x.example',
      defaultPolicy: 'ask',
      tools: [],
    } as const;
    const agent = { mcpServers: [server] };
    await fixture.pool.getSessionClient('one', { tenant: 'alice', agent });
    await settle(2_000);
    const [, spare] = fixture.driver.processes;
    const theirs = await fixture.pool.getSessionClient('one', { tenant: 'bob', agent });
    expect(theirs.id).not.toBe(spare?.spec.sessionId);
    const hers = await fixture.pool.getSessionClient('two', { tenant: 'alice', agent });
    expect(hers.id).toBe(spare?.spec.sessionId);
  });

  test('a spare gives its slot to whoever needs one, before any session loses its process', async () => {
    fixture = makePool({ pool: { spares: SPARES, maxProcesses: 2 } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    expect(fixture.pool.stats()).toMatchObject({ spares: { ready: 1 }, processSlots: { used: 2 } });
    const other = { agent: { systemPrompt: { mode: 'replace', text: 'other' } } } as const;
    await fixture.pool.getSessionClient('two', other);
    expect(fixture.pool.stats()).toMatchObject({ spares: { ready: 0 }, processSlots: { used: 2 } });
    expect((await fixture.pool.getSessionInfo('default', 'one'))?.status).toBe('idle');
    expect(counted('roundhouse_spares_wasted_total')).toEqual([
      { reason: 'slot_needed', folder: 'own' },
    ]);
  });

  test('none is started where no slot is free, and none while memory is short', async () => {
    fixture = makePool({ pool: { spares: SPARES, maxProcesses: 1 } });
    await ask(fixture, 'one', 'hello');
    await settle(5_000);
    expect(fixture.driver.processes).toHaveLength(1);
    await fixture.pool.close();
    fixture = makePool({ pool: { spares: { ...SPARES, reserveBytes: 2 ** 30 } } });
    fixture.host.freeBytes = 2 ** 30;
    await ask(fixture, 'one', 'hello');
    await settle(5_000);
    expect(fixture.pool.stats().spares).toEqual({ ready: 0, starting: 0 });
    fixture.host.freeBytes = 2 ** 32;
    await settle(1_500);
    expect(fixture.pool.stats().spares.ready).toBe(1);
  });

  test('an unused pool costs nothing: spares go when nobody has come for long', async () => {
    fixture = makePool({
      pool: { spares: SPARES, idleThresholdMs: 30_000, cleanupIntervalMs: 1_000 },
    });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    expect(fixture.driver.alive).toHaveLength(2);
    await settle(62_000);
    expect(fixture.driver.alive).toHaveLength(0);
    expect(counted('roundhouse_spares_wasted_total')).toEqual([{ reason: 'idle', folder: 'own' }]);
  });

  test('a burst asks for more than one, never for more than the limit', async () => {
    fixture = makePool({
      pool: { spares: { ...SPARES, max: 3 }, maxProcesses: 20 },
      driver: { startMs: 500 },
    });
    const burst = Array.from({ length: 12 }, (_, n) => fixture.pool.getSessionClient(`burst-${n}`));
    await settle(4_500);
    await Promise.all(burst);
    const { ready, starting } = fixture.pool.stats().spares;
    expect(ready + starting).toBeGreaterThan(1);
    expect(ready + starting).toBeLessThanOrEqual(3);
  });

  test('an old one, and one of an earlier agent, is replaced', async () => {
    let generation = '1';
    fixture = makePool({
      pool: { spares: { ...SPARES, idleMs: 3_600_000, maxAgeMs: 100_000 } },
      driver: { generation: () => generation },
    });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    const first = fixture.driver.processes.at(-1);
    await settle(102_000);
    expect(first?.alive).toBe(false);
    const second = fixture.driver.alive.at(-1);
    generation = '2';
    await settle(2_000);
    expect(second?.alive).toBe(false);
    expect(fixture.pool.stats().spares.ready).toBe(1);
    expect(counted('roundhouse_spares_wasted_total')).toEqual([
      { reason: 'stale', folder: 'own' },
      { reason: 'stale', folder: 'own' },
    ]);
  });

  test('one that dies is replaced, and one that never starts is not tried without end', async () => {
    let broken = false;
    let attempts = 0;
    fixture = makePool({
      pool: { spares: SPARES },
      driver: {
        onStart: () => {
          attempts += 1;
          if (broken) throw new Error('no');
        },
      },
    });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    fixture.driver.processes.at(-1)?.die();
    await settle(1_100);
    expect(fixture.pool.stats().spares.ready).toBe(1);
    broken = true;
    attempts = 0;
    fixture.driver.alive.at(-1)?.die();
    await settle(50_000);
    expect(attempts).toBeGreaterThan(1);
    expect(attempts).toBeLessThan(8);
  });

  test('a session whose row can not be written leaves no process behind', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    vi.spyOn(fixture.store, 'createSession').mockRejectedValueOnce(
      new RoundhouseError('storage_failed', 'disk full'),
    );
    await expect(fixture.pool.getSessionClient('two')).rejects.toThrow('disk full');
    await settle(10);
    const { used } = fixture.pool.stats().processSlots;
    expect(used).toBe(fixture.driver.alive.length);
  });

  test('closing the pool ends them all, those that start included', async () => {
    fixture = makePool({ pool: { spares: { ...SPARES, max: 2 } }, driver: { startMs: 1_000 } });
    const first = fixture.pool.getSessionClient('one');
    await settle(1_500);
    await first;
    expect(fixture.pool.stats().spares.starting).toBe(1);
    const closed = fixture.pool.close();
    await settle(2_000);
    await closed;
    expect(fixture.driver.alive).toHaveLength(0);
    expect(fixture.host.folders.size).toBe(0);
    expect(fixture.host.workspaces.size).toBe(1);
  });

  test('a session whose row is being written when the pool closes leaves no process behind', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    const written = Promise.withResolvers<void>();
    const { store } = fixture;
    const createSession = store.createSession.bind(store);
    vi.spyOn(store, 'createSession').mockImplementationOnce(async (session) => {
      await written.promise;
      return createSession(session);
    });
    const asked = fixture.pool.getSessionClient('two').catch((error: unknown) => error);
    await settle(10);
    const closed = fixture.pool.close();
    await settle(10);
    written.resolve();
    await closed;
    expect(await asked).toMatchObject({ code: 'draining' });
    expect(fixture.driver.alive).toHaveLength(0);
  });

  test('warm brings the process of a known session back ahead of its prompt', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    const client = await fixture.pool.getSessionClient('one');
    await client.disconnect('evicted');
    expect((await fixture.pool.warm('default', 'one')).status).toBe('idle');
    const starts = fixture.driver.processes.length;
    expect(fixture.driver.processes.at(-1)?.warmUps).toBe(1);
    expect(await ask(fixture, 'one', 'again')).toBe('You said: again. Before: hello.');
    expect(fixture.driver.processes).toHaveLength(starts);
    await expect(fixture.pool.warm('default', 'unknown')).rejects.toMatchObject({
      code: 'session_not_found',
    });
  });
});

describe('spares for folders that callers name', () => {
  const WORKSPACES = { allowed: ['/srv'] };
  const NAMED = { workspace: '/srv/project' };

  test('the second session in a named folder takes one, whatever the folder', async () => {
    fixture = makePool({ pool: { spares: SPARES }, workspaces: WORKSPACES });
    await fixture.pool.getSessionClient('one', NAMED);
    await settle(1_100);
    const spare = fixture.driver.processes.at(-1);
    expect(spare?.spec.workspace).toBeUndefined();
    const client = await fixture.pool.getSessionClient('two', { workspace: '/srv/other' });
    expect(client.status).toBe('idle');
    expect(spare?.spec.sessionId).toBe(client.id);
    expect(client.row).toMatchObject({ workspace: '/srv/other', ownsWorkspace: false });
    expect(await ask(fixture, 'two', 'hi')).toBe('You said: hi. Before: nothing.');
    expect(spare?.workspace).toBe('/srv/other');
    expect(counted('roundhouse_spares_total')).toEqual([
      { outcome: 'miss', reason: 'new_configuration', folder: 'named' },
      { outcome: 'hit', reason: '', folder: 'named' },
    ]);
    expect(fixture.host.workspaces.size).toBe(0);
  });

  test('one for a named folder is not given to a session with its own, nor the other way round', async () => {
    fixture = makePool({ pool: { spares: SPARES }, workspaces: WORKSPACES });
    await fixture.pool.getSessionClient('one', NAMED);
    await settle(1_100);
    const own = await fixture.pool.getSessionClient('two');
    expect(own.row).toMatchObject({ ownsWorkspace: true, workspace: `/workspaces/${own.id}` });
    await settle(1_100);
    expect(fixture.pool.stats().spares.ready).toBe(2);
    await fixture.pool.getSessionClient('three');
    expect(
      counted('roundhouse_spares_total').map(({ folder, outcome }) => [folder, outcome]),
    ).toEqual([
      ['named', 'miss'],
      ['own', 'miss'],
      ['own', 'hit'],
    ]);
  });

  test('one that does not take the folder is a miss with its reason; the session starts cold and nothing is left', async () => {
    let refuses = true;
    fixture = makePool({
      pool: { spares: SPARES },
      workspaces: WORKSPACES,
      driver: {
        onBind: () => {
          if (refuses) throw new Error('cwd_not_found');
        },
      },
    });
    await fixture.pool.getSessionClient('one', NAMED);
    await settle(1_100);
    const spare = fixture.driver.processes.at(-1);
    const client = await fixture.pool.getSessionClient('two', NAMED);
    expect(spare?.alive).toBe(false);
    expect(client.status).toBe('idle');
    expect(client.id).not.toBe(spare?.spec.sessionId);
    expect(counted('roundhouse_spares_total').at(-1)).toEqual({
      outcome: 'miss',
      reason: 'refused',
      folder: 'named',
    });
    expect(counted('roundhouse_spares_wasted_total')).toEqual([
      { reason: 'refused', folder: 'named' },
    ]);
    expect(fixture.line('spare_refused')).toMatchObject({
      level: 'warn',
      workspace: '/srv/project',
    });
    await settle(10);
    const alive = fixture.driver.alive.length;
    expect(fixture.pool.stats().processSlots.used).toBe(alive);
    expect(fixture.host.folders.size).toBe(alive);
    refuses = false;
    await settle(1_100);
    await fixture.pool.getSessionClient('three', NAMED);
    expect(counted('roundhouse_spares_total').at(-1)).toMatchObject({ outcome: 'hit' });
  });

  test('one that never answers is given up after a while', async () => {
    fixture = makePool({
      pool: { spares: SPARES },
      workspaces: WORKSPACES,
      driver: { onBind: () => new Promise(() => {}) },
    });
    await fixture.pool.getSessionClient('one', NAMED);
    await settle(1_100);
    const asked = fixture.pool.getSessionClient('two', NAMED);
    await settle(5_100);
    expect((await asked).status).toBe('idle');
    expect(counted('roundhouse_spares_total').at(-1)).toMatchObject({ reason: 'refused' });
  });

  test('a shutdown while one takes its folder leaves nothing behind', async () => {
    const bound = Promise.withResolvers<void>();
    fixture = makePool({
      pool: { spares: SPARES },
      workspaces: WORKSPACES,
      driver: { onBind: () => bound.promise },
    });
    await fixture.pool.getSessionClient('one', NAMED);
    await settle(1_100);
    const asked = fixture.pool.getSessionClient('two', NAMED).catch((error: unknown) => error);
    await settle(10);
    const closed = fixture.pool.close();
    await settle(10);
    bound.resolve();
    await settle(10);
    await closed;
    expect(await asked).toMatchObject({ code: 'draining' });
    expect(fixture.driver.alive).toHaveLength(0);
    expect(fixture.host.folders.size).toBe(0);
    expect(fixture.pool.stats().processSlots.used).toBe(0);
  });

  test('they go like the others when nobody comes, and when the agent is another', async () => {
    let generation = '1';
    fixture = makePool({
      pool: { spares: SPARES },
      workspaces: WORKSPACES,
      driver: { generation: () => generation },
    });
    await fixture.pool.getSessionClient('one', NAMED);
    await settle(1_100);
    generation = '2';
    await settle(2_100);
    expect(fixture.pool.stats().spares.ready).toBe(1);
    await settle(62_000);
    expect(fixture.pool.stats().spares.ready).toBe(0);
    expect(counted('roundhouse_spares_wasted_total')).toEqual([
      { reason: 'stale', folder: 'named' },
      { reason: 'idle', folder: 'named' },
    ]);
  });
});
