import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

/** The absolute path of a program on `path` (the text of `PATH`); undefined when there is none. */
export async function findExecutable(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter(isAbsolute)) {
    const candidate = join(folder, name);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Whether a command ends with exit code 0, within 5 s. */
export async function runs(file: string, args: readonly string[]): Promise<boolean> {
  return (await output(file, args)) !== undefined;
}

/** What a command writes, in the C locale; undefined when it fails, is missing, or takes longer than 5 s. */
export function output(file: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(
      file,
      [...args],
      { env: { ...process.env, LC_ALL: 'C' }, timeout: 5_000, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => resolve(error === null ? stdout : undefined),
    );
  });
}
