import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for one run: everything that the run starts has its home and its files below it. */
export interface Scratch {
  readonly folder: string;
  /** An environment made from nothing: no key, no proxy and no setting of this machine reaches what is measured. */
  readonly environment: Readonly<Record<string, string>>;
  /** Processes whose environment names the folder; undefined where the system does not tell (no `/proc`). */
  leftovers(): Promise<number[] | undefined>;
  remove(): Promise<void>;
}

export async function makeScratch(): Promise<Scratch> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-bench-'));
  return {
    folder,
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, TMPDIR: folder },
    leftovers: () => processesNaming(folder),
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

async function processesNaming(folder: string): Promise<number[] | undefined> {
  let names: string[];
  try {
    names = await readdir('/proc');
  } catch {
    return undefined;
  }
  const found: number[] = [];
  for (const name of names) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      if ((await readFile(`/proc/${name}/environ`, 'latin1')).includes(folder)) {
        found.push(Number(name));
      }
    } catch {
      // Gone in the meantime, or another user's, which can't be ours.
    }
  }
  return found;
}
