import type { TurnLimits } from './turn-limits.ts';

/** Where the processes of a session run on this host. */
export interface EnvironmentDefinition {
  readonly name: string;
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly workspace: Workspace;
  /** Variables that agents and their tools get, by name. */
  readonly variables: Readonly<Record<string, Variable>>;
  /** Limits of the turns of its sessions, in the place of the host's. Default: none. */
  readonly limits?: Readonly<Partial<TurnLimits>>;
}

/** The folder that a session's agent works in. */
export type Workspace =
  /** A new, empty one for each session. */
  | { readonly type: 'fresh' }
  /** An existing one, shared by all sessions of the environment. An absolute path, which the operator must have allowed. */
  | { readonly type: 'folder'; readonly path: string }
  /** A new one for each session, with a clone of the repository in a folder of this host, which the operator must have allowed. */
  | {
      readonly type: 'git_clone';
      readonly path: string;
      /** A branch, a tag or the full id of a commit; null: what is checked out there. */
      readonly ref: string | null;
    };

/** A variable of the environment. */
export interface Variable {
  readonly value: string;
  /** Whether the value is never shown again. */
  readonly secret: boolean;
}
