/** A process of ours, as the registry on disk keeps it. */
export interface ProcessRecord {
  readonly pid: number;
  readonly clientId: string;
  readonly sessionId: string;
  /** Start time as the operating system tells it, so that a reused pid is not taken for ours. */
  readonly startedAt: string;
  readonly folder: string;
}

/** The name of the environment variable that marks a process and everything it starts; its value is the client id. */
export const PROCESS_MARK = 'ROUNDHOUSE_PROCESS_MARK';

/** The folder of a process that an earlier host started for a session; nothing runs in it any more. */
export type LeftFolder = Pick<ProcessRecord, 'sessionId' | 'folder'>;

/** What a sweep found and ended. */
export interface SweepResult {
  readonly processesKilled: number;
  readonly foldersRemoved: number;
}

/** What stands at a path that a caller has named. */
export type FoundFolder =
  /** A folder, and `path` is its real one, without symlinks. */
  | { readonly found: 'folder'; readonly path: string }
  /**
   * `relative`: the path does not begin at the root. `outside`: of what is allowed, whether anything is there or not.
   * `own`: within the host's own data.
   */
  | { readonly found: 'nothing' | 'no_folder' | 'relative' | 'outside' | 'own' };

/** A file that is to stand in a workspace. */
export interface FileToPlace {
  /** What a client has said, as `mountSegments` reads it. */
  readonly mountPath: string;
  /** What the client calls that in its request, for what is refused: `resources.0.mount_path`. */
  readonly field: string;
  /** Gives its bytes; called once, when its turn has come. */
  open(): Promise<AsyncIterable<Uint8Array>>;
}

/** A repository of git on this machine. */
export interface RepositoryToClone {
  /** The real, absolute path of the folder that it stands in, with a working tree or bare. */
  readonly path: string;
  /** A branch, a tag or the full id of a commit; null: what is checked out there. */
  readonly ref: string | null;
}

/** The machine, as far as processes and folders go. */
export interface Host {
  /**
   * A command prefix that makes the kernel end a child when this process dies, or `[]` where there is none. The child's
   * pid stays its own: the prefix replaces itself by the command.
   */
  readonly spawnPrefix: readonly string[];
  /** Makes the empty, private folder of a process. */
  createProcessFolder(clientId: string): Promise<string>;
  /** Notes a started process on disk, before it is given a prompt. */
  registerProcess(pid: number, clientId: string, sessionId: string, folder: string): Promise<void>;
  /** Ends what still carries the mark (tools run in sessions of their own and outlive their parent), and waits until it is gone. */
  killMarked(clientId: string): Promise<number>;
  /** Takes the record and the folder of a process away. Harmless when they are gone. */
  forgetProcess(clientId: string, folder: string): Promise<void>;
  /** Removes a folder that {@link Host.createProcessFolder} made, with its record; any other path is left alone. */
  removeProcessFolder(path: string): Promise<void>;
  /** Makes the private folder that an agent works in. */
  createWorkspace(sessionId: string): Promise<string>;
  /**
   * Looks for a folder that is one of `allowed`, or below one. Real paths are compared, so no symlink leads out; of what
   * is outside nothing is told. What this user may not enter counts as nothing.
   */
  findFolder(path: string, allowed: readonly string[]): Promise<FoundFolder>;
  /**
   * Puts files into a workspace, for this user only, with the folders that are missing. All or none: when it rejects, what
   * it has made is gone. `invalid_request` for a mount path that is none, and where something stands in the way: nothing is
   * overwritten, and no symlink below the workspace is followed, also none that is made in the meantime (where the system
   * has a `/proc`). What `open` rejects with comes out as it is.
   */
  placeFiles(workspace: string, files: readonly FileToPlace[]): Promise<void>;
  /**
   * Clones a repository into a workspace in which there is nothing, for this user only, within 120 s. Nothing that stands in
   * the repository runs, and nothing outside of its folder is read. `invalid_request` for what is no repository or no ref of
   * it, `unsupported_field` without git, `workspace_unavailable` when it can't be cloned; rejects with the signal's reason
   * when that aborts. Then git has ended, and the workspace is for the caller to remove.
   */
  cloneRepository(
    workspace: string,
    repository: RepositoryToClone,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Removes a workspace that {@link Host.createWorkspace} made; any other path is left alone. */
  removeWorkspace(path: string): Promise<void>;
  /**
   * Removes workspaces that were made for sessions which never came to be: those of unknown sessions that are empty, or hold
   * a clone that was broken off. Nothing that somebody put there is lost, also where the store was. Returns how many there
   * were. Call once, before any start.
   */
  sweepWorkspaces(isKnown: (sessionId: string) => Promise<boolean>): Promise<number>;
  /**
   * Ends and removes what an earlier host left behind; touches nothing that is not provably ours. Call once, before any
   * start. `salvage` may take out of a folder what would go with it: it is given each that a record speaks for, when its
   * processes are gone. One that it rejects for stays for the next sweep, and so does one that can't be removed.
   */
  sweep(
    keepFolders: ReadonlySet<string>,
    salvage?: (left: LeftFolder) => Promise<void>,
  ): Promise<SweepResult>;
  /** Processes of ours that are alive now. */
  countOwned(): Promise<number>;
  /** Resident memory of a process in bytes (proportional share where the system tells it); undefined when it is gone. */
  memoryBytes(pid: number): Promise<number | undefined>;
  /** Memory that is free for more processes, in bytes: the machine's or the cgroup's, whichever is smaller. */
  memoryAvailableBytes(): Promise<number>;
  /** Memory that processes may use here, in bytes: the machine's or the cgroup's, whichever is smaller. */
  memoryLimitBytes(): Promise<number>;
}
