import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** In a project of yours: `npx roundhouse serve`. */
const PROGRAM = fileURLToPath(new URL('../bin/roundhouse.js', import.meta.url));

/** A server in a process of its own. */
export interface StartedServer {
  readonly url: string;
  /** Ends it in good order and removes its data. */
  stop(): Promise<void>;
}

/** Starts a server on a free port. It sees no credential, so the embedded simulator answers. */
export async function startServer(): Promise<StartedServer> {
  const home = await mkdtemp(join(tmpdir(), 'roundhouse-example-'));
  const server = spawn(
    process.execPath,
    [PROGRAM, 'serve', '--port', '0', '--data-dir', join(home, 'data'), '--log-level', 'warn'],
    { env: { PATH: process.env['PATH'] ?? '', HOME: home }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(server, 'exit');
  const stop = async (): Promise<void> => {
    server.kill('SIGTERM');
    await exited;
    await rm(home, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /^Roundhouse listens on (\S+)$/.exec(line)?.[1];
    if (url === undefined) continue;
    server.stdout.resume();
    console.log(`A server of our own, the embedded simulator answers: ${url}`);
    return { url, stop };
  }
  await stop();
  throw new Error('The server did not start; what it said stands above.');
}
