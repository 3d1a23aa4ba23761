import { afterEach, describe, expect, test } from 'vitest';
import type { FoundFolder } from '../contracts/host.ts';
import { useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';

const RULES = { allowed: ['/srv'], byTenant: new Map([['guest', ['/guests']]]) };

let fixture: PoolFixture;

useFakeClock();

afterEach(() => fixture.pool.close());

describe('a session in a folder that its caller names', () => {
  test('works there, gets no folder of its own, and leaves it behind when it is deleted', async () => {
    fixture = makePool({ workspaces: RULES });
    const client = await fixture.pool.getSessionClient('one', { workspace: '/srv/project' });
    expect(client.row).toMatchObject({ workspace: '/srv/project', ownsWorkspace: false });
    expect(fixture.driver.processes[0]?.spec.workspace).toBe('/srv/project');
    expect(fixture.host.workspaces.size).toBe(0);
    fixture.host.workspaces.add('/srv/project');
    expect(await fixture.pool.deleteSession('default', 'one')).toBe(true);
    expect([...fixture.host.workspaces]).toEqual(['/srv/project']);
  });

  test('keeps it when it is removed as a one-shot of an earlier host', async () => {
    fixture = makePool({ workspaces: RULES });
    const request = { workspace: '/srv/project', kind: 'one_shot' } as const;
    await fixture.pool.getSessionClient('one', request);
    await fixture.pool.close();
    fixture = makePool({ workspaces: RULES, store: fixture.store, host: fixture.host });
    fixture.host.workspaces.add('/srv/project');
    expect((await fixture.pool.recover()).oneShotsRemoved).toBe(1);
    expect([...fixture.host.workspaces]).toEqual(['/srv/project']);
  });

  test('may share it with another session', async () => {
    fixture = makePool({ workspaces: RULES });
    for (const name of ['one', 'two']) {
      const client = await fixture.pool.getSessionClient(name, { workspace: '/srv/project' });
      expect(client.row.workspace).toBe('/srv/project');
    }
  });

  test('stays there: omitted and equal change nothing, another is refused by name', async () => {
    fixture = makePool({ workspaces: RULES });
    await ask(fixture, 'own', 'hello');
    await fixture.pool.getSessionClient('one', { workspace: '/srv/project' });
    await ask(fixture, 'one', 'first');
    const same = await fixture.pool.getSessionClient('one', { workspace: '/srv/project' });
    expect(same.metrics.reused).toBe(true);
    for (const name of ['one', 'own']) {
      const asked = fixture.pool.getSessionClient(name, { workspace: '/srv/other' });
      await expect(asked).rejects.toMatchObject({
        code: 'unsupported_field',
        message: expect.stringMatching(/^workspace: session \w+ works in .*got \/srv\/other/),
      });
    }
    expect(await ask(fixture, 'one', 'second')).toBe('You said: second. Before: first.');
  });

  test('is compared after a restart too', async () => {
    fixture = makePool({ workspaces: RULES });
    await fixture.pool.getSessionClient('one', { workspace: '/srv/project' });
    await fixture.pool.close();
    fixture = makePool({ workspaces: RULES, store: fixture.store, host: fixture.host });
    const other = fixture.pool.getSessionClient('one', { workspace: '/srv/other' });
    await expect(other).rejects.toMatchObject({ code: 'unsupported_field' });
    const client = await fixture.pool.getSessionClient('one');
    expect(client.row).toMatchObject({ workspace: '/srv/project', ownsWorkspace: false });
  });

  test('works in the real folder behind the name', async () => {
    fixture = makePool({ workspaces: RULES });
    fixture.host.found.set('/srv/link', { found: 'folder', path: '/srv/project' });
    const client = await fixture.pool.getSessionClient('one', { workspace: '/srv/link' });
    expect(client.row.workspace).toBe('/srv/project');
    await fixture.pool.getSessionClient('one', { workspace: '/srv/link' });
  });
});

describe('a folder is refused', () => {
  test('where the operator has allowed none, and nothing is started', async () => {
    fixture = makePool();
    const asked = fixture.pool.getSessionClient('one', { workspace: '/srv/project' });
    await expect(asked).rejects.toMatchObject({
      code: 'workspace_not_allowed',
      message: expect.stringContaining('workspaces.allowed'),
    });
    expect(fixture.driver.processes).toHaveLength(0);
    expect(await fixture.pool.getSessionInfo('default', 'one')).toBeUndefined();
  });

  test('to a tenant that has another list', async () => {
    fixture = makePool({ workspaces: RULES });
    const ofGuest = (workspace: string) =>
      fixture.pool.getSessionClient('one', { tenant: 'guest', workspace });
    await expect(ofGuest('/srv/project')).rejects.toMatchObject({ code: 'workspace_not_allowed' });
    expect((await ofGuest('/guests/a')).row.workspace).toBe('/guests/a');
    const asked = fixture.pool.getSessionClient('two', { workspace: '/guests/a' });
    await expect(asked).rejects.toMatchObject({ code: 'workspace_not_allowed' });
  });

  test.each([
    ['nothing', 'workspace_unavailable', 'is not there'],
    ['no_folder', 'workspace_unavailable', 'is not a folder'],
    ['own', 'workspace_not_allowed', 'data of the server'],
    ['relative', 'invalid_request', 'not an absolute path'],
  ] as const)('that is %s, with %s', async (found, code, said) => {
    fixture = makePool({ workspaces: RULES });
    const there: FoundFolder = { found };
    fixture.host.found.set('/srv/x', there);
    const asked = fixture.pool.getSessionClient('one', { workspace: '/srv/x' });
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining(said) });
  });

  test('again at every start, for it may be gone or forbidden by now', async () => {
    fixture = makePool({ workspaces: RULES });
    const client = await fixture.pool.getSessionClient('one', { workspace: '/srv/project' });
    await client.disconnect('evicted');
    fixture.host.found.set('/srv/project', { found: 'outside' });
    await expect(fixture.pool.getSessionClient('one')).rejects.toMatchObject({
      code: 'workspace_not_allowed',
    });
    const turn = await client.prompt(text('hello'));
    expect((await turn.ended).error?.code).toBe('workspace_not_allowed');
    fixture.host.found.clear();
    expect(await ask(fixture, 'one', 'again')).toContain('You said: again.');
  });

  test('to its caller only, not to another who waits for the same session', async () => {
    fixture = makePool({ workspaces: RULES });
    const [refused, given] = await Promise.allSettled([
      fixture.pool.getSessionClient('one', { workspace: '/elsewhere' }),
      fixture.pool.getSessionClient('one'),
    ]);
    expect([refused.status, given.status]).toEqual(['rejected', 'fulfilled']);
  });
});
