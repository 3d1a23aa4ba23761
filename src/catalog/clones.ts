import type { Host, RepositoryToClone } from '../contracts/host.ts';
import type { RoundhouseError } from '../errors.ts';
import type { NamedWorkspaces } from '../pool/named-workspaces.ts';
import { Slots } from '../pool/slots.ts';

export interface ClonesParts {
  readonly host: Pick<Host, 'cloneRepository'>;
  readonly folders: Pick<NamedWorkspaces, 'find'>;
  /** Clones at once: each is a process of git that reads and writes a whole repository. */
  readonly atOnce: number;
}

/**
 * The clones of repositories that sessions begin with: a bounded number at once, the others wait in order of arrival, and fair
 * between tenants. A wait has no limit of its own: each clone before it has one, and whoever waits can leave.
 */
export class Clones {
  readonly #parts: ClonesParts;
  readonly #slots: Slots;
  readonly #closing = new AbortController();

  constructor(parts: ClonesParts) {
    this.#parts = parts;
    this.#slots = new Slots({
      what: 'places for a clone',
      capacity: parts.atOnce,
      // Each is a request that holds its connection, and counts among the sessions that its key may have.
      maxWaiters: Infinity,
      waitMs: Infinity,
    });
  }

  /**
   * Clones a repository into the folder that was made for a session, when its turn has come. Rejects with the signal's reason,
   * with what {@link Clones.close} was told, as {@link NamedWorkspaces.find} does, and as {@link Host.cloneRepository} does.
   */
  async clone(
    tenant: string,
    workspace: string,
    { path, ref }: RepositoryToClone,
    signal?: AbortSignal,
  ): Promise<void> {
    const { host, folders } = this.#parts;
    const either = AbortSignal.any([
      this.#closing.signal,
      ...(signal === undefined ? [] : [signal]),
    ]);
    const slot = await this.#slots.acquire({ tenant, signal: either });
    try {
      // After the wait: the folder may lead elsewhere by now.
      const repository = { path: await folders.find(tenant, path), ref };
      await host.cloneRepository(workspace, repository, either);
    } finally {
      slot.release();
    }
  }

  /** Gives up clones that are under way, those that wait, and all that come later. */
  close(reason: RoundhouseError): void {
    this.#closing.abort(reason);
  }
}
