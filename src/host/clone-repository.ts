import type { RepositoryToClone } from '../contracts/host.ts';
import { GIT_REF_RULE, isCommitId, isGitRef } from '../definitions/git-ref.ts';
import { RoundhouseError } from '../errors.ts';
import type { Logger } from '../telemetry/telemetry.ts';
import { after } from '../time/timers.ts';
import { findExecutable } from './executables.ts';
import { findRepository } from './find-repository.ts';
import { runGit, type GitResult } from './run-git.ts';

/** Longest clone, with all that belongs to it: whoever makes the session waits for it. */
const LIMIT_MS = 120_000;

/** What git says of a `ls-remote --exit-code` that found nothing; every other failure is of the repository. */
const NO_SUCH_REF = 2;

/**
 * How the other side of the clone is started, which reads the configuration that stands in the repository. What is said here
 * beats that: no command of it runs, and what is missing there is fetched from nowhere.
 */
const UPLOAD_PACK = [
  'GIT_ALLOW_PROTOCOL=none',
  'git',
  "-c safe.directory='*'",
  '-c core.fsmonitor=false',
  '-c core.hooksPath=/dev/null',
  'upload-pack',
].join(' ');

/** How a clone is made. */
export interface CloneParts {
  /** What programs are started through, so that they end with this process. */
  readonly spawnPrefix: readonly string[];
  /** The text of `PATH`, where git is looked for. */
  readonly path: string;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
  /** From the first look at the repository. ms. Default 120000. */
  readonly limitMs?: number;
}

/** See {@link Host.cloneRepository}. */
export async function cloneRepository(
  workspace: string,
  { path, ref }: RepositoryToClone,
  { spawnPrefix, path: programs, log, signal, limitMs = LIMIT_MS }: CloneParts,
): Promise<void> {
  if (ref !== null && !isGitRef(ref)) throw noSuchRef(ref);
  const git = await findExecutable('git', programs);
  if (git === undefined) throw noGit();
  const found = await findRepository(path);
  if ('problem' in found) throw noRepository(found.problem);
  // Without the dot git would also look for repositories beside this one, by their names.
  const source = `${found.gitDir}/.`;

  const limit = new AbortController();
  const timer = after(limitMs, () => limit.abort(tookTooLong(limitMs)), { keepAlive: true });
  const either = signal === undefined ? limit.signal : AbortSignal.any([limit.signal, signal]);
  const run = async (args: readonly string[]): Promise<GitResult> => {
    const result = await runGit({
      command: [...spawnPrefix, git],
      // Repositories of other users too: the operator has allowed the folder.
      args: ['-c', 'safe.directory=*', '-c', 'core.hooksPath=/dev/null', ...args],
      cwd: workspace,
      path: programs,
      signal: either,
    });
    if (result.exitCode !== 0) log.info('git_failed', { args: args.join(' '), ...result });
    return result;
  };
  try {
    const commit = ref !== null && isCommitId(ref) ? ref : undefined;
    const name = commit === undefined ? ref : null;
    if (name !== null) await checkName(name, source, run);
    await must(run, [
      'clone',
      '--quiet',
      // Copied, so that nothing that is done to the one is done to the other.
      '--no-hardlinks',
      // It would be read, not copied, and so through links that copying refuses.
      '--reject-shallow',
      '--no-recurse-submodules',
      '--template=',
      `--upload-pack=${UPLOAD_PACK}`,
      ...(name !== null ? ['--branch', name] : []),
      ...(commit !== undefined ? ['--no-checkout'] : []),
      '--',
      source,
      '.',
    ]);
    if (commit !== undefined) {
      const { exitCode } = await run(['rev-parse', '--quiet', '--verify', `${commit}^{commit}`]);
      if (exitCode !== 0) throw noSuchRef(commit);
      await must(run, ['checkout', '--quiet', '--detach', commit]);
    }
    // The agent's work stays here: a push would go into the operator's folder, and run its hooks.
    await must(run, ['config', '--remove-section', 'remote.origin']);
  } finally {
    timer.cancel();
  }
}

type Run = (args: readonly string[]) => Promise<GitResult>;

async function checkName(name: string, source: string, run: Run): Promise<void> {
  const { exitCode } = await run([
    'ls-remote',
    '--quiet',
    '--exit-code',
    `--upload-pack=${UPLOAD_PACK}`,
    '--',
    source,
    `refs/heads/${name}`,
    `refs/tags/${name}`,
  ]);
  if (exitCode === NO_SUCH_REF) throw noSuchRef(name);
  if (exitCode !== 0) throw noRepository('one that git can not read');
}

async function must(run: Run, args: readonly string[]): Promise<void> {
  const { exitCode } = await run(args);
  if (exitCode === 0) return;
  throw new RoundhouseError(
    'workspace_unavailable',
    `roundhouse.workspace.path: the repository could not be cloned (git ${args[0]} ended with ${exitCode ?? 'a signal'}); see whether git fsck finds it whole, and whether the server may read all of it. Its log has what git said.`,
  );
}

function noRepository(got: string): RoundhouseError {
  return new RoundhouseError(
    'invalid_request',
    `roundhouse.workspace.path: expected a folder with a git repository, got ${got}`,
  );
}

function noSuchRef(ref: string): RoundhouseError {
  return new RoundhouseError(
    'invalid_request',
    `roundhouse.workspace.ref: expected ${GIT_REF_RULE} of the repository, got ${JSON.stringify(ref.slice(0, 255))}; choose one that is there, or null for what is checked out`,
  );
}

function tookTooLong(limitMs: number): RoundhouseError {
  return new RoundhouseError(
    'workspace_unavailable',
    `roundhouse.workspace.path: the clone was not complete within ${limitMs} ms and was ended; make the repository smaller, or name a folder in the place of a clone.`,
  );
}

function noGit(): RoundhouseError {
  return new RoundhouseError(
    'unsupported_field',
    'not supported by this server: roundhouse.workspace (git_clone: git is not installed on its machine). Use another workspace, or let the operator install git',
  );
}
