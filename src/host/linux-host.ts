import type { Host } from '../contracts/host.ts';
import type { LocalHostOptions } from './local-host.ts';
import { findExecutable, runs } from './executables.ts';
import { linuxProcessTable } from './linux-proc.ts';
import { LocalHost } from './local-host.ts';

/**
 * A host on Linux. The mark in the environment finds every process of ours, its tools included; where util-linux's
 * `setpriv` is there, the kernel also ends agents when this process dies. TERM and not KILL: on TERM Claude Code ends its
 * own tools, on KILL it orphans them.
 */
export async function createLinuxHost(
  options: Pick<LocalHostOptions, 'dataDir' | 'telemetry'>,
): Promise<Host> {
  return LocalHost.open({
    ...options,
    table: linuxProcessTable(),
    spawnPrefix: await deathSignalPrefix(process.env['PATH'] ?? ''),
  });
}

/** The prefix, tried once: busybox has a `setpriv` without this option. */
async function deathSignalPrefix(path: string): Promise<string[]> {
  const setpriv = await findExecutable('setpriv', path);
  if (setpriv === undefined) return [];
  const prefix = ['--pdeathsig', 'TERM', '--'];
  return (await runs(setpriv, [...prefix, setpriv, '--version'])) ? [setpriv, ...prefix] : [];
}
