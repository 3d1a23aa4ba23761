import type { BrokenSessions } from './broken-sessions.ts';
import type { Residents } from './residents.ts';
import type { SessionQuota } from './session-quota.ts';
import type { Host } from '../contracts/host.ts';
import type { SessionRow, SessionStore } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';

export interface DeletionParts {
  readonly store: SessionStore;
  readonly host: Host;
  readonly residents: Residents;
  readonly quota: SessionQuota;
  readonly broken: BrokenSessions;
  /** Told of a session that is gone for good, when it has left the store. Whoever deletes it is told of a failure. */
  readonly deleted?: SessionDeleted;
}

export type SessionDeleted = (
  session: Pick<SessionRow, 'tenant' | 'id' | 'name'>,
) => Promise<unknown>;

/** How a session ends for good, wherever it is: in memory, on its way in or out, or in the store only. */
export class Deletion {
  readonly #parts: DeletionParts;

  constructor(parts: DeletionParts) {
    this.#parts = parts;
  }

  /** Ends what the session runs, its process, its data, the workspace that was made for it. False when it is gone already. */
  async delete({ id, tenant, name }: SessionRow): Promise<boolean> {
    const { residents } = this.#parts;
    for (;;) {
      const client = residents.get(tenant, name);
      // Another call has deleted it, and what has that name now is new.
      if (client !== undefined && client.id !== id) return false;
      const deleted =
        client === undefined
          ? await residents.whileAbsent(tenant, name, (row) => this.#erase(row, id))
          : await this.#endForGood(client);
      // It has come into memory, or was leaving it, meanwhile.
      if (deleted !== undefined) return deleted;
    }
  }

  /** Removes a session from the store, and from what its key has. */
  async removeData({ id, tenant, kind }: SessionRow): Promise<void> {
    const { quota, store } = this.#parts;
    const noteDeleted = kind === 'named' ? await quota.deleting(tenant) : undefined;
    await store.deleteSession(id);
    noteDeleted?.();
  }

  /** Undefined when it was leaving memory already. */
  async #endForGood(client: SessionClient): Promise<true | undefined> {
    let deleted: true | undefined;
    await this.#parts.residents.depart(client, async () => {
      await client.end(
        new RoundhouseError('session_ended', `Session ${client.name} was deleted; use a new id.`),
      );
      await this.#erase(client.row, client.id);
      deleted = true;
    });
    return deleted;
  }

  /** Removes what there is of a session without a process. False when it is not the one that was meant. */
  async #erase(row: SessionRow, id: string): Promise<boolean> {
    if (row.id !== id) return false;
    await this.removeData(row);
    this.#parts.broken.forget(id);
    if (row.ownsWorkspace) await this.#parts.host.removeWorkspace(row.workspace);
    await this.#parts.deleted?.(row);
    return true;
  }
}
