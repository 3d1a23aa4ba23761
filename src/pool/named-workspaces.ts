import type { Host } from '../contracts/host.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';

/** Which folders sessions may be told to work in. None, as long as nothing is said. */
export interface WorkspaceRules {
  /** Absolute paths: these folders, and all that is below them. Default: none. */
  readonly allowed?: readonly string[] | undefined;
  /** Those of single tenants, in the place of `allowed`. */
  readonly byTenant?: ReadonlyMap<string, readonly string[]>;
}

/** Folders that callers name: tells whether they may, and which folder it really is. */
export class NamedWorkspaces {
  readonly #rules: WorkspaceRules;
  readonly #host: Pick<Host, 'findFolder'>;

  constructor(rules: WorkspaceRules, host: Pick<Host, 'findFolder'>) {
    this.#rules = rules;
    this.#host = host;
  }

  /**
   * The real path of the folder, without symlinks, as it is now. Rejects with `invalid_request` for a path that is not
   * absolute, with `workspace_not_allowed`, or with `workspace_unavailable` when there is no such folder.
   */
  async find(tenant: string, path: string): Promise<string> {
    const allowed = this.#allowed(tenant);
    const there = await this.#host.findFolder(path, allowed);
    switch (there.found) {
      case 'folder':
        return there.path;
      case 'relative':
        throw new RoundhouseError(
          'invalid_request',
          `The workspace ${quoted(path)} is not an absolute path: expected one from the root, such as /srv/project.`,
        );
      case 'outside':
        throw notAllowed(path, allowed);
      case 'own':
        throw new RoundhouseError(
          'workspace_not_allowed',
          `The workspace ${quoted(path)} is within the data of the server: expected a folder outside of it. Name another.`,
        );
      case 'nothing':
        throw unavailable(path, 'is not there, or the server may not enter it');
      case 'no_folder':
        throw unavailable(path, 'is not a folder');
      default:
        return there satisfies never;
    }
  }

  /** Whether {@link NamedWorkspaces.find} would find it now. */
  async allows(tenant: string, path: string): Promise<boolean> {
    const { found } = await this.#host.findFolder(path, this.#allowed(tenant));
    return found === 'folder';
  }

  #allowed(tenant: string): readonly string[] {
    return this.#rules.byTenant?.get(tenant) ?? this.#rules.allowed ?? [];
  }
}

/** Refuses a session that works elsewhere than in the folder that its caller has named now. `unsupported_field`. */
export function refuseOtherWorkspace(
  { name, row }: SessionClient,
  workspace: string | undefined,
): void {
  if (workspace === undefined || workspace === row.workspace) return;
  const own = row.ownsWorkspace ? 'a folder of its own' : row.workspace;
  throw new RoundhouseError(
    'unsupported_field',
    `workspace: session ${name} works in ${own}, got ${workspace}; expected the same or none, for a session stays where it was made. Use another session id for another folder.`,
  );
}

function notAllowed(path: string, allowed: readonly string[]): RoundhouseError {
  const expected =
    allowed.length === 0
      ? 'no folder may be named here'
      : `expected one of ${allowed.join(', ')}, or a folder below`;
  return new RoundhouseError(
    'workspace_not_allowed',
    `The workspace ${quoted(path)} is not allowed: ${expected}. Leave it out, or let the operator add it to workspaces.allowed (with several keys: to the workspaces of the key).`,
  );
}

function unavailable(path: string, what: string): RoundhouseError {
  return new RoundhouseError(
    'workspace_unavailable',
    `The workspace ${quoted(path)} ${what}: expected a folder that exists. Make it, or name another.`,
  );
}

function quoted(path: string): string {
  return JSON.stringify(path.slice(0, 300));
}
