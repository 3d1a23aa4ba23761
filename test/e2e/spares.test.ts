import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { askServer } from '../support/official-client.ts';
import { ServerFixture } from '../support/server-fixture.ts';

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});

afterAll(async () => {
  await simulator?.close();
});

async function serverWithSpares(args: readonly string[] = []): Promise<ServerFixture> {
  const env = { ROUNDHOUSE_POOL_SPARES_MAX: '1' };
  const server = await ServerFixture.start({ upstream: simulator, args, env });
  onTestFinished(() => server.end());
  return server;
}

test('a new session takes a prepared process, and goes on after kill -9 of the server', async () => {
  const server = await serverWithSpares();
  const ready = server.log.waitForEvent('spare_ready');
  await askServer(server.url, 'first', 'one');
  const { id } = await ready;
  expect(await askServer(server.url, 'second', 'two')).toContain('no earlier messages');
  const session = await fetch(`${server.url}/sessions/second`).then((answer) => answer.json());
  expect(session).toMatchObject({ id, status: 'idle', turnCount: 1 });
  expect(await server.metric('roundhouse_spares_total{outcome="hit",reason="",folder="own"}')).toBe(
    1,
  );
  await server.kill('SIGKILL');
  await server.restart();
  expect(await askServer(server.url, 'second', 'three')).toContain(
    'your earlier prompt was: "two"',
  );
});

test('a prepared process gives its slot up to a session that needs it, and nothing is left at the end', async () => {
  const server = await serverWithSpares(['--max-processes', '2']);
  const ready = server.log.waitForEvent('spare_ready');
  await askServer(server.url, 'first', 'one');
  await ready;
  expect(server.agentsAlive()).toBe(2);
  const answer = await fetch(`${server.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-session-id': 'other' },
    body: JSON.stringify({
      max_tokens: 10,
      system: 'Be brief.',
      messages: [{ role: 'user', content: 'hi' }],
    }),
  });
  expect(answer.status).toBe(200);
  expect(server.agentsAlive()).toBeLessThanOrEqual(2);
  expect(
    await server.metric('roundhouse_spares_wasted_total{reason="slot_needed",folder="own"}'),
  ).toBe(1);
  await server.kill('SIGTERM');
  expect(server.agentsAlive()).toBe(0);
  const folders = await server.folders();
  expect(folders.filter((name) => name.startsWith('clnt_'))).toEqual([]);
  // One workspace for each of the two sessions, none for the spare.
  expect(folders.filter((name) => name.startsWith('sesn_'))).toHaveLength(2);
});

test('warm brings the process of a session back before its prompt', async () => {
  const server = await serverWithSpares(['--max-processes', '1']);
  await askServer(server.url, 'cold', 'one');
  await askServer(server.url, 'other', 'two');
  const warm = await fetch(`${server.url}/sessions/cold/warm`, { method: 'POST' });
  expect(await warm.json()).toMatchObject({ name: 'cold', status: 'idle' });
  const starts = await server.metric(
    'roundhouse_process_starts_total{kind="resumed",outcome="ready"}',
  );
  expect(await askServer(server.url, 'cold', 'three')).toContain('your earlier prompt was: "one"');
  expect(
    await server.metric('roundhouse_process_starts_total{kind="resumed",outcome="ready"}'),
  ).toBe(starts);
});
