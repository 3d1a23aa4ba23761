import { expect, test } from 'vitest';
import { Tenants } from './tenants.ts';
import { answerOf, collect, makePool, text } from '../../test/support/pool-fixture.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

test('a key has as many turns as it may, and gets the next when one has ended', () => {
  const tenants = new Tenants(new Map([['small', { maxTurns: 2 }]]));
  const over = tenants.admitTurn('small');
  tenants.admitTurn('small');
  expect(() => tenants.admitTurn('small')).toThrow(
    expect.objectContaining({ code: 'key_limit_reached' }),
  );
  over();
  over();
  expect(tenants.turnsOf('small')).toBe(1);
  tenants.admitTurn('small');
  expect(() => tenants.admitTurn('small')).toThrow('limit');
});

test('a key without limits is not counted out, and leaves no trace', () => {
  const tenants = new Tenants();
  const overs = Array.from({ length: 100 }, () => tenants.admitTurn('any'));
  for (const over of overs) over();
  expect(tenants.turnsOf('any')).toBe(0);
  expect(tenants.weightOf('any')).toBe(1);
});

test('running and queued turns of all its sessions count, of other keys none, and ended ones no more', async () => {
  const fixture = makePool({ tenantLimits: new Map([['small', { maxTurns: 2 }]]) });
  const one = await fixture.pool.getSessionClient('one', { tenant: 'small' });
  const two = await fixture.pool.getSessionClient('two', { tenant: 'small' });
  const first = await one.prompt(text('a'));
  const second = await one.prompt(text('b'));
  await expect(two.prompt(text('c'))).rejects.toMatchObject({
    code: 'key_limit_reached',
    retryAfterSeconds: 1,
  });
  const other = await fixture.pool.getSessionClient('one', { tenant: 'large' });
  expect(answerOf(await collect(await other.prompt(text('x'))))).toContain('x');
  await Promise.all([first.ended, second.ended]);
  expect(answerOf(await collect(await two.prompt(text('d'))))).toBe(
    'You said: d. Before: nothing.',
  );
  await fixture.pool.close();
});

test('a prompt that the store refuses gives its place back', async () => {
  const fixture = makePool({ tenantLimits: new Map([['small', { maxTurns: 1 }]]) });
  const client = await fixture.pool.getSessionClient('one', { tenant: 'small' });
  const append = fixture.store.append.bind(fixture.store);
  fixture.store.append = () => Promise.reject(new Error('disk full'));
  await expect(client.prompt(text('a'))).rejects.toMatchObject({ code: 'storage_failed' });
  fixture.store.append = append;
  await settle();
  expect(answerOf(await collect(await client.prompt(text('b'))))).toContain('b');
  await fixture.pool.close();
});

test('under contention a heavier key is served more often, and a higher priority first within its key', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1, waitMs: 60_000, maxWaiters: 100 },
    tenantLimits: new Map([['heavy', { weight: 2 }]]),
  });
  await fixture.pool.getSessionClient('holder', { tenant: 'holder' });
  const served: string[] = [];
  const ask = async (tenant: string, name: string, priority: number): Promise<void> => {
    const client = await fixture.pool.getSessionClient(name, { tenant, priority });
    await (
      await client.prompt(text(name))
    ).ended;
    served.push(name);
  };
  const asked = [
    ...['h1', 'h2', 'h3', 'h4'].map((name) => ask('heavy', name, 0)),
    ...['l1', 'l2'].map((name) => ask('light', name, 0)),
    ask('light', 'l-first', 5),
  ];
  for (let n = 0; n < 20; n += 1) {
    await settle();
    await pass(1_100);
  }
  await Promise.all(asked);
  expect(served.slice(0, 6).filter((name) => name.startsWith('h'))).toHaveLength(4);
  expect(served.indexOf('l-first')).toBeLessThan(served.indexOf('l1'));
  await fixture.pool.close();
});
