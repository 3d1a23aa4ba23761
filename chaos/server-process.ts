import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { withinDeadline } from '../src/time/deadline.ts';
import { FAULTS_VARIABLE, type ServerFaults } from './server-faults.ts';

const FAULTS = new URL('server-faults.ts', import.meta.url).href;
const BIN = fileURLToPath(new URL('../bin/roundhouse.js', import.meta.url));
/** Node itself and the system's tools; nothing of the developer's machine. */
const CLEAN_PATH = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
const START_LIMIT_MS = 60_000;

/** How a server ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerProcessOptions {
  /** Holds `home`, `tmp`, `data` and `server.log`. */
  readonly root: string;
  readonly upstreamUrl: string;
  /** Settings, as `ROUNDHOUSE_…` variables. */
  readonly settings: Readonly<Record<string, string>>;
  /** What is wrong with its machine from the start on. */
  readonly faults: ServerFaults;
  /** Called with every line of the log. */
  readonly onLine: (line: string) => void;
}

/** One life of the server: `bin/roundhouse.js serve` in a process of its own, under an environment built from nothing. */
export class ServerProcess {
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number, exited: Promise<ServerExit>, url: string) {
    this.#child = child;
    this.pid = pid;
    this.exited = exited;
    this.url = url;
  }

  /** Starts it and waits until it listens. Rejects with the end of its output when it does not. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const { root, upstreamUrl, settings, faults, onLine } = options;
    const child = spawn(
      process.execPath,
      ['--import', FAULTS, BIN, 'serve', '--port', '0', '--data-dir', join(root, 'data')],
      {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: {
          PATH: CLEAN_PATH,
          HOME: join(root, 'home'),
          TMPDIR: join(root, 'tmp'),
          ANTHROPIC_BASE_URL: upstreamUrl,
          ANTHROPIC_API_KEY: 'sk-dummy-key',
          [FAULTS_VARIABLE]: JSON.stringify(faults),
          ...settings,
        },
      },
    );
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('The server has no output to read.');
    const exited = new Promise<ServerExit>((resolve) => {
      child.once('error', () => resolve({ code: null, signal: null }));
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    const log = logFile(root);
    void exited.then(() => log.end());
    const tail: string[] = [];
    createInterface({ input: stderr }).on('line', (line) => {
      log.write(`${line}\n`);
      tail.push(line);
      if (tail.length > 10) tail.shift();
      onLine(line);
    });
    const listening = new Promise<string>((resolve, reject) => {
      createInterface({ input: stdout }).on('line', (line) => {
        const url = /listens on (http:\/\/\S+)/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
      void exited.then(({ code, signal }) =>
        reject(new Error(`The server ended with ${signal ?? code}:\n${tail.join('\n')}`)),
      );
    });
    const outcome = await withinDeadline(listening, START_LIMIT_MS);
    if (!outcome.timedOut && child.pid !== undefined)
      return new ServerProcess(child, child.pid, exited, outcome.value);
    child.kill('SIGKILL');
    await exited;
    throw new Error(`The server did not listen within ${START_LIMIT_MS} ms:\n${tail.join('\n')}`);
  }

  /** Changes what is wrong with its machine. Settles when it is so, or the server is gone. One at a time. */
  async suffer(faults: ServerFaults): Promise<void> {
    if (!this.#child.connected) return;
    const taken = once(this.#child, 'message');
    this.#child.send(faults, () => {});
    await Promise.race([taken, this.exited]);
  }

  /** Nothing happens when it is gone. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** One file for all lives. */
function logFile(root: string): WriteStream {
  return createWriteStream(join(root, 'server.log'), { flags: 'a' });
}
