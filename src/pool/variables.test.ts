import { expect, test, vi } from 'vitest';
import type { VariablesOf } from './process-starter.ts';
import { RoundhouseError } from '../errors.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text } from '../../test/support/pool-fixture.ts';

useFakeClock();

test('variables are asked for before each start, of that session, and kept nowhere', async () => {
  const variablesOf = vi.fn<VariablesOf>(async ({ name }) =>
    name === 'plain' ? undefined : { TOKEN: { value: `token of ${name}`, secret: true } },
  );
  const fixture = makePool({ variablesOf });
  await ask(fixture, 'a', 'one');
  await ask(fixture, 'plain', 'one');
  variablesOf.mockResolvedValueOnce({ TOKEN: { value: 'another token of a', secret: true } });
  const client = await fixture.pool.getSessionClient('a');
  await client.disconnect('test');
  await ask(fixture, 'a', 'two');
  expect(fixture.driver.processes.map(({ spec }) => spec.variables)).toEqual([
    { TOKEN: { value: 'token of a', secret: true } },
    undefined,
    { TOKEN: { value: 'another token of a', secret: true } },
  ]);
  const kept = [await fixture.store.listSessions({ limit: 10 }), fixture.lines, fixture.counted];
  expect(JSON.stringify(kept)).not.toMatch(/token of a/);
});

test('where variables can not be had, no process starts, and the turn says why', async () => {
  const refusal = new RoundhouseError('invalid_request', 'TOKEN: not allowed');
  const variablesOf = vi.fn<VariablesOf>().mockRejectedValue(refusal);
  const fixture = makePool({ variablesOf });
  await expect(fixture.pool.getSessionClient('a')).rejects.toBe(refusal);
  const row = await fixture.pool.createSession({
    tenant: 'default',
    agent: {},
    mayTakeSpare: false,
    announce: () => Promise.resolve(),
  });
  const client = await fixture.pool.findClient('default', row.id);
  const { ended } = await client.prompt(text('one'));
  await pass(100);
  expect(await ended).toMatchObject({ reason: 'failed', error: { code: 'invalid_request' } });
  expect(fixture.driver.processes).toEqual([]);
  expect(fixture.host.folders.size).toBe(0);
  variablesOf.mockResolvedValue(undefined);
  expect(await ask(fixture, row.id, 'two')).toContain('You said: two');
});
