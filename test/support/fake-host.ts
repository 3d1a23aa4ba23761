import type {
  FileToPlace,
  FoundFolder,
  Host,
  LeftFolder,
  RepositoryToClone,
  SweepResult,
} from '../../src/contracts/host.ts';

/** A host without a machine: it remembers what it was asked to make and to remove. */
export class FakeHost implements Host {
  readonly spawnPrefix = [];
  readonly folders = new Set<string>();
  readonly workspaces = new Set<string>();
  /** What stands at paths that callers name, where it is not simply a folder. */
  readonly found = new Map<string, FoundFolder>();
  /** What the records of processes would tell; drivers without processes write none. */
  readonly sessionsOfFolders = new Map<string, string>();
  readonly placed: string[] = [];
  readonly cloned: (RepositoryToClone & { readonly workspace: string })[] = [];
  placedBytes = 0;
  freeBytes = 8 * 2 ** 30;

  createProcessFolder(clientId: string): Promise<string> {
    const folder = `/processes/${clientId}`;
    this.folders.add(folder);
    return Promise.resolve(folder);
  }

  registerProcess(): Promise<void> {
    return Promise.resolve();
  }

  killMarked(): Promise<number> {
    return Promise.resolve(0);
  }

  forgetProcess(_clientId: string, folder: string): Promise<void> {
    this.folders.delete(folder);
    return Promise.resolve();
  }

  removeProcessFolder(path: string): Promise<void> {
    this.folders.delete(path);
    return Promise.resolve();
  }

  createWorkspace(sessionId: string): Promise<string> {
    const path = `/workspaces/${sessionId}`;
    this.workspaces.add(path);
    return Promise.resolve(path);
  }

  findFolder(path: string, allowed: readonly string[]): Promise<FoundFolder> {
    const isAllowed = allowed.some((root) => path === root || path.startsWith(`${root}/`));
    const there: FoundFolder = isAllowed ? { found: 'folder', path } : { found: 'outside' };
    return Promise.resolve(this.found.get(path) ?? there);
  }

  /** Remembers where; the bytes are read and go nowhere. */
  async placeFiles(workspace: string, files: readonly FileToPlace[]): Promise<void> {
    for (const file of files) {
      for await (const piece of await file.open()) this.placedBytes += piece.byteLength;
      this.placed.push(`${workspace}${file.mountPath}`);
    }
  }

  /** Remembers what, and where. */
  cloneRepository(
    workspace: string,
    repository: RepositoryToClone,
    _signal?: AbortSignal,
  ): Promise<void> {
    this.cloned.push({ ...repository, workspace });
    return Promise.resolve();
  }

  removeWorkspace(path: string): Promise<void> {
    this.workspaces.delete(path);
    return Promise.resolve();
  }

  /** Every workspace here is empty. */
  async sweepWorkspaces(isKnown: (sessionId: string) => Promise<boolean>): Promise<number> {
    let removed = 0;
    for (const path of this.workspaces) {
      const [, sessionId] = /^\/workspaces\/(.*)$/.exec(path) ?? [];
      if (sessionId === undefined || (await isKnown(sessionId))) continue;
      this.workspaces.delete(path);
      removed += 1;
    }
    return removed;
  }

  async sweep(
    keepFolders: ReadonlySet<string>,
    salvage?: (left: LeftFolder) => Promise<void>,
  ): Promise<SweepResult> {
    let foldersRemoved = 0;
    for (const folder of this.folders) {
      if (keepFolders.has(folder)) continue;
      const sessionId = this.sessionsOfFolders.get(folder);
      try {
        if (sessionId !== undefined) await salvage?.({ sessionId, folder });
      } catch {
        continue; // It stays, as the contract says.
      }
      this.folders.delete(folder);
      foldersRemoved += 1;
    }
    return { processesKilled: 0, foldersRemoved };
  }

  countOwned(): Promise<number> {
    return Promise.resolve(0);
  }

  memoryBytes(): Promise<number | undefined> {
    return Promise.resolve(undefined);
  }

  memoryAvailableBytes(): Promise<number> {
    return Promise.resolve(this.freeBytes);
  }

  memoryLimitBytes(): Promise<number> {
    return Promise.resolve(8 * 2 ** 30);
  }
}
