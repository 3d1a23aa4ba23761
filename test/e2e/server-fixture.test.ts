import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

import { ServerFixture } from '../support/server-fixture.ts';

test('a process that outlives its server fails the test that started the server, and is ended', async () => {
  const server = await ServerFixture.start();
  const left = spawn('sleep', ['600'], { env: { HOME: server.root }, stdio: 'ignore' });
  const exited = once(left, 'exit');
  await once(left, 'spawn');
  await expect(server.end()).rejects.toThrow('sleep 600');
  expect(await exited).toEqual([null, 'SIGKILL']);
});
