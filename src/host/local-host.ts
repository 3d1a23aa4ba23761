import { basename, join, resolve } from 'node:path';

import type {
  FileToPlace,
  FoundFolder,
  Host,
  LeftFolder,
  ProcessRecord,
  RepositoryToClone,
  SweepResult,
} from '../contracts/host.ts';
import type { ProcessTable } from './process-table.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { errorText } from '../errors.ts';
import { cloneRepository } from './clone-repository.ts';
import { endProcesses } from './end-processes.ts';
import { findFolder } from './find-folder.ts';
import {
  makePrivateFolder,
  makePrivateRoot,
  ownFolders,
  removeIfEmpty,
  removeOwnFolder,
} from './folders.ts';
import { placeFiles } from './place-files.ts';
import { ProcessRegistry } from './process-registry.ts';
import { forgetUnfinished, isUnfinished, whileUnfinished } from './unfinished.ts';

/** What a host is made of. */
export interface LocalHostOptions {
  /** Absolute. Everything stands below it: `processes/` and `workspaces/`, both private. */
  readonly dataDir: string;
  readonly telemetry: Telemetry;
  readonly table: ProcessTable;
  readonly spawnPrefix: readonly string[];
}

/** The part of a host that is the same on every platform: folders, records, and the order in which things are ended. */
export class LocalHost implements Host {
  readonly spawnPrefix: readonly string[];
  readonly #dataDir: string;
  readonly #processes: string;
  readonly #workspaces: string;
  readonly #table: ProcessTable;
  readonly #telemetry: Telemetry;
  readonly #registry: ProcessRegistry;
  readonly #records = new Map<string, ProcessRecord>();

  private constructor(options: LocalHostOptions) {
    this.spawnPrefix = options.spawnPrefix;
    this.#dataDir = resolve(options.dataDir);
    this.#processes = join(this.#dataDir, 'processes');
    this.#workspaces = join(this.#dataDir, 'workspaces');
    this.#table = options.table;
    this.#telemetry = options.telemetry;
    this.#registry = new ProcessRegistry(this.#processes, options.telemetry.log);
  }

  /** Makes the folders and returns the host. `storage_failed` when they can't be made. */
  static async open(options: LocalHostOptions): Promise<LocalHost> {
    const host = new LocalHost(options);
    await makePrivateRoot(host.#processes);
    await makePrivateRoot(host.#workspaces);
    return host;
  }

  createProcessFolder(clientId: string): Promise<string> {
    return makePrivateFolder(this.#processes, clientId);
  }

  async registerProcess(
    pid: number,
    clientId: string,
    sessionId: string,
    folder: string,
  ): Promise<void> {
    // One that is gone already gets a start time that no process has: what it started may live and carry its mark.
    const startedAt = (await this.#table.startedAt(pid)) ?? 'gone';
    const record: ProcessRecord = { pid, clientId, sessionId, startedAt, folder };
    this.#records.set(clientId, record);
    await this.#registry.write(record);
  }

  async killMarked(clientId: string): Promise<number> {
    return this.#end(new Map([[clientId, this.#records.get(clientId)]])).then(
      ({ killed }) => killed,
    );
  }

  async forgetProcess(clientId: string, folder: string): Promise<void> {
    this.#records.delete(clientId);
    // The record goes last: while it is there, the next host knows that something is left.
    await removeOwnFolder(this.#processes, folder);
    await this.#registry.remove(clientId);
  }

  async removeProcessFolder(path: string): Promise<void> {
    if (!(await removeOwnFolder(this.#processes, path))) return;
    const clientId = basename(path);
    this.#records.delete(clientId);
    await this.#registry.remove(clientId);
  }

  createWorkspace(sessionId: string): Promise<string> {
    return makePrivateFolder(this.#workspaces, sessionId);
  }

  findFolder(path: string, allowed: readonly string[]): Promise<FoundFolder> {
    return findFolder(path, allowed, this.#dataDir);
  }

  placeFiles(workspace: string, files: readonly FileToPlace[]): Promise<void> {
    return placeFiles(workspace, files);
  }

  cloneRepository(
    workspace: string,
    repository: RepositoryToClone,
    signal?: AbortSignal,
  ): Promise<void> {
    return whileUnfinished(workspace, () =>
      cloneRepository(workspace, repository, {
        spawnPrefix: this.spawnPrefix,
        path: process.env['PATH'] ?? '',
        log: this.#telemetry.log,
        signal,
      }),
    );
  }

  async removeWorkspace(path: string): Promise<void> {
    await removeOwnFolder(this.#workspaces, path);
  }

  async sweepWorkspaces(isKnown: (sessionId: string) => Promise<boolean>): Promise<number> {
    let removed = 0;
    for (const name of await ownFolders(this.#workspaces)) {
      if (await isKnown(name)) continue;
      const path = join(this.#workspaces, name);
      const gone = (await isUnfinished(path))
        ? await removeOwnFolder(this.#workspaces, path)
        : await removeIfEmpty(path);
      await forgetUnfinished(path);
      if (gone) removed += 1;
    }
    return removed;
  }

  async sweep(
    keepFolders: ReadonlySet<string>,
    salvage?: (left: LeftFolder) => Promise<void>,
  ): Promise<SweepResult> {
    const kept = new Set([...keepFolders].map((path) => resolve(path)));
    const left = await this.#registry.readAll();
    // Folders without a record: the host died between making the folder and writing the record.
    for (const name of await ownFolders(this.#processes)) {
      if (!left.has(name)) left.set(name, undefined);
    }
    for (const clientId of this.#records.keys()) left.delete(clientId);

    const { killed, survivors } = await this.#end(left);
    for (const { clientId } of survivors) left.delete(clientId);

    let foldersRemoved = 0;
    for (const [clientId, record] of left) {
      const folder = join(this.#processes, clientId);
      try {
        if (!kept.has(folder)) {
          // A process without a record was never given a prompt: there is nothing in its folder.
          if (record !== undefined) await salvage?.({ sessionId: record.sessionId, folder });
          if (await removeOwnFolder(this.#processes, folder)) foldersRemoved += 1;
        }
        await this.#registry.remove(clientId);
      } catch (error) {
        this.#telemetry.log.error('host_folder_left', { folder, error: errorText(error) });
      }
    }
    return { processesKilled: killed, foldersRemoved };
  }

  async countOwned(): Promise<number> {
    const alive = await Promise.all(
      [...this.#records.values()].map(
        async (record) => (await this.#table.startedAt(record.pid)) === record.startedAt,
      ),
    );
    return alive.filter(Boolean).length;
  }

  memoryBytes(pid: number): Promise<number | undefined> {
    return this.#table.memoryBytes(pid);
  }

  memoryAvailableBytes(): Promise<number> {
    return this.#table.memoryAvailableBytes();
  }

  memoryLimitBytes(): Promise<number> {
    return this.#table.memoryLimitBytes();
  }

  async #end(
    owned: ReadonlyMap<string, ProcessRecord | undefined>,
  ): Promise<Awaited<ReturnType<typeof endProcesses>>> {
    if (owned.size === 0) return { killed: 0, survivors: [] };
    const ended = await endProcesses(this.#table, owned);
    for (const { pid, clientId } of ended.survivors) {
      this.#telemetry.log.error('host_process_survived', { pid, clientId });
    }
    return ended;
  }
}
