import { spawn, type ChildProcess } from 'node:child_process';

import { RoundhouseError } from '../errors.ts';
import { withinDeadline } from '../time/deadline.ts';

/** What is kept of what git says, from its end. */
const MAX_STDERR_CHARS = 4_096;

/** How one that is not wanted any more is ended, and how long each way may take: asked, git takes away what it has made. */
const ENDINGS = [
  ['SIGTERM', 2_000],
  ['SIGKILL', 5_000],
] as const;

/** A call of git. */
export interface GitCall {
  /** What git is started through, and its absolute path. */
  readonly command: readonly [...string[], string];
  readonly args: readonly string[];
  readonly cwd: string;
  /** The text of `PATH`: git finds its own programs by it. */
  readonly path: string;
  /** Ends it, with all that it has started. */
  readonly signal: AbortSignal;
}

/** What a call of git came to. */
export interface GitResult {
  /** Null when it was ended by somebody else. */
  readonly exitCode: number | null;
  /** The end of what it said. */
  readonly stderr: string;
}

/**
 * Runs git in an environment from nothing: no configuration but that of the repository, nobody to ask, no transport but
 * files. Rejects with the signal's reason when that aborts, after its processes have gone; with `internal` when they won't.
 */
export async function runGit(call: GitCall): Promise<GitResult> {
  const { command, args, cwd, path, signal } = call;
  signal.throwIfAborted();
  const [file, ...before] = command;
  const child = spawn(file, [...before, ...args], {
    cwd,
    // A group of its own, so that what it starts can be ended with it.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: path,
      HOME: '/nonexistent',
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '',
      GIT_ALLOW_PROTOCOL: 'file',
    },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR_CHARS);
  });
  const ended = endOf(child);
  const aborted = Promise.withResolvers<'aborted'>();
  const onAbort = (): void => aborted.resolve('aborted');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const first = await Promise.race([ended, aborted.promise]);
    if (first !== 'aborted') return { exitCode: first.exitCode, stderr };
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  await end(child, ended);
  throw signal.reason;
}

/** The pipe is closed when the last of its processes has gone, not only the first. */
function endOf(child: ChildProcess): Promise<Pick<GitResult, 'exitCode'>> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode }));
  });
}

async function end({ pid }: ChildProcess, ended: Promise<unknown>): Promise<void> {
  for (const [name, withinMs] of ENDINGS) {
    signalGroup(pid, name);
    const { timedOut } = await withinDeadline(ended, withinMs);
    if (!timedOut) return;
  }
  throw new RoundhouseError(
    'internal',
    `git (pid ${pid ?? 'unknown'}) was killed and does not end; its disk may hang.`,
  );
}

function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // All of it has ended in the meantime.
  }
}
