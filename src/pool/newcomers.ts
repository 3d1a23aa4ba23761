import type { Spare, SpareWish } from './spares.ts';
import type { Host } from '../contracts/host.ts';
import type { SessionRow } from '../contracts/session-store.ts';
import { errorText, type RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface NewcomersParts {
  readonly host: Host;
  /** Removes a session from the store. */
  readonly removeData: (row: SessionRow) => Promise<void>;
  /** Keeps a process for the next session of its options, or ends it with its workspace. */
  readonly reuse: (wish: SpareWish, spare: Spare) => Promise<void>;
  readonly telemetry: Telemetry;
}

/**
 * New sessions that no call has been answered with yet, and the callers who wait for each. One whose callers have all left
 * or been refused was nobody's: it is withdrawn, and leaves nothing but its process, with its ids and its workspace, to the
 * spares; in a folder that its caller has named not even that.
 */
export class Newcomers {
  readonly #parts: NewcomersParts;
  readonly #callers = new WeakMap<SessionClient, number>();

  constructor(parts: NewcomersParts) {
    this.#parts = parts;
  }

  add(client: SessionClient): void {
    this.#callers.set(client, 0);
  }

  has(client: SessionClient): boolean {
    return this.#callers.has(client);
  }

  /** A call waits for the session. False, and nothing is to be told, when it is not a new one. */
  enter(client: SessionClient): boolean {
    const callers = this.#callers.get(client);
    if (callers === undefined) return false;
    this.#callers.set(client, callers + 1);
    return true;
  }

  /** It waits no more. */
  leave(client: SessionClient): void {
    const callers = this.#callers.get(client);
    if (callers !== undefined) this.#callers.set(client, callers - 1);
  }

  /** A call is answered with the session: from now on it is one like any other. */
  accept(client: SessionClient): void {
    this.#callers.delete(client);
  }

  /**
   * Whether it is to be withdrawn now. Not while a start is under way, whose process may be of use, and not after one has
   * failed: the session remembers when the next one may be tried, as long as it is in memory.
   */
  isNobodys(client: SessionClient): boolean {
    const { status } = client;
    return this.#callers.get(client) === 0 && status !== 'connecting' && status !== 'error';
  }

  /** Ends a session that is leaving memory, and all that is there of it. Never rejects. */
  async withdraw(client: SessionClient, reason: RoundhouseError): Promise<void> {
    const { host, removeData, reuse, telemetry } = this.#parts;
    const { id, name, row } = client;
    // Not within the change of state that told that nobody waits.
    await Promise.resolve();
    // In a folder that its caller has named, its process is of no use to others.
    const attachment = row.ownsWorkspace ? client.surrender() : undefined;
    await client.end(reason);
    this.#callers.delete(client);
    const connection = attachment?.connection;
    try {
      await removeData(row);
      if (attachment === undefined || connection?.generation === undefined) {
        if (row.ownsWorkspace) await host.removeWorkspace(row.workspace);
      } else {
        const { agentSessionId, workspace } = row;
        const { generation } = connection;
        const ids = { sessionId: id, agentSessionId, workspace };
        await reuse(row, { ...ids, connection, generation, readyAtMs: attachment.sinceMs });
      }
      telemetry.log.debug?.('session_withdrawn', { sessionId: name, id });
    } catch (error) {
      telemetry.log.warn('session_not_withdrawn', { sessionId: name, id, error: errorText(error) });
      await connection?.process.destroy('not withdrawn');
    }
  }
}
