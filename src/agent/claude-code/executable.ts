import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { RoundhouseError } from '../../errors.ts';

/**
 * The Claude Code executable that ships with the SDK, in an optional package per platform; undefined when none is
 * installed. A Linux without glibc has a package of its own.
 */
export function bundledExecutable(
  platform: string = process.platform,
  architecture: string = process.arch,
): string | undefined {
  // From the SDK's own place, because a package manager may have nested the package below it.
  const require = createRequire(
    createRequire(import.meta.url).resolve('@anthropic-ai/claude-agent-sdk'),
  );
  const file = platform === 'win32' ? 'claude.exe' : 'claude';
  for (const variant of [`${platform}-${architecture}`, `${platform}-${architecture}-musl`]) {
    try {
      return require.resolve(`@anthropic-ai/claude-agent-sdk-${variant}/${file}`);
    } catch {
      // Not installed: the next variant, or none.
    }
  }
  return undefined;
}

/** Returns the executable to start, checked; `agent_unavailable` when there is none that runs. */
export async function checkedExecutable(configured: string | undefined): Promise<string> {
  const executable = configured ?? bundledExecutable();
  if (executable === undefined) {
    throw new RoundhouseError(
      'agent_unavailable',
      `No Claude Code executable is installed for ${process.platform}-${process.arch}. ` +
        'Reinstall without --omit=optional, or set agent.executable to the path of one.',
    );
  }
  try {
    await access(executable, constants.X_OK);
  } catch (error) {
    throw new RoundhouseError(
      'agent_unavailable',
      `The Claude Code executable ${executable} is missing or may not be run. ` +
        'Correct agent.executable, or reinstall without --omit=optional.',
      { cause: error },
    );
  }
  return executable;
}
