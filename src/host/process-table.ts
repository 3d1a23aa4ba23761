import type { ProcessRecord } from '../contracts/host.ts';

/** A live process that is provably ours. */
export interface OwnedProcess {
  readonly pid: number;
  /** Start time as the operating system tells it; with the pid it names one process. */
  readonly startedAt: string;
  readonly clientId: string;
}

/** What a host needs to know of the operating system's processes; the platforms differ in this only. */
export interface ProcessTable {
  /** Start time of a live process; undefined when it is gone, or dead and not yet reaped by its parent. */
  startedAt(pid: number): Promise<string | undefined>;
  /**
   * Live processes that belong to the client ids of `owned`; the record is undefined where none could be read. `known`
   * are those found before in the same search, for platforms that find a process only through its parent.
   */
  findOwned(
    owned: ReadonlyMap<string, ProcessRecord | undefined>,
    known: readonly OwnedProcess[],
  ): Promise<OwnedProcess[]>;
  /** Resident memory in bytes; undefined when the process is gone. */
  memoryBytes(pid: number): Promise<number | undefined>;
  /** Memory that is free for more processes, in bytes. */
  memoryAvailableBytes(): Promise<number>;
  /** Memory that processes may use here, in bytes. */
  memoryLimitBytes(): Promise<number>;
}
