import type { Host } from '../contracts/host.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createLinuxHost } from './linux-host.ts';
import { createPortableHost } from './portable-host.ts';

/** Settings of a host. */
export interface HostOptions {
  /** Absolute. One server at a time: the sweep of a second one would end the first one's processes. */
  readonly dataDir: string;
  readonly telemetry: Telemetry;
  /** Default: this machine's. */
  readonly platform?: NodeJS.Platform;
}

/** The host of this machine. `storage_failed` when the data directory can't be written. */
export function createHost({
  dataDir,
  telemetry,
  platform = process.platform,
}: HostOptions): Promise<Host> {
  const create = platform === 'linux' ? createLinuxHost : createPortableHost;
  return create({ dataDir, telemetry });
}
