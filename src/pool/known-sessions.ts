import { sessionInfo, type SessionInfo } from './session-info.ts';
import type { SessionRow, SessionStore } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';

export interface KnownSessionsParts {
  readonly store: Pick<SessionStore, 'findSession' | 'listSessions'>;
  /** The session, when it is in memory. */
  readonly resident: (tenant: string, name: string) => SessionClient | undefined;
  /** Whether a session that is not in memory has prompts that will run. */
  readonly hasUndelivered: (sessionId: string) => boolean;
}

/** What is known of sessions without bringing one into memory: what the store says, and memory where it knows better. */
export class KnownSessions {
  readonly #parts: KnownSessionsParts;

  constructor(parts: KnownSessionsParts) {
    this.#parts = parts;
  }

  /** Sessions of a tenant, newest first. `limit` 1 to 1000. */
  async list(
    tenant: string,
    query: { limit: number; after?: string },
  ): Promise<{ sessions: SessionInfo[]; next: string | null }> {
    const page = await this.#parts.store.listSessions({ tenant, ...query, kind: 'named' });
    return { sessions: page.sessions.map((row) => this.info(row)), next: page.next };
  }

  async find(tenant: string, name: string): Promise<SessionRow | undefined> {
    return this.#parts.resident(tenant, name)?.row ?? this.#parts.store.findSession(tenant, name);
  }

  /** As {@link KnownSessions.find}, for one that must be there: `session_not_found`. */
  async get(tenant: string, name: string): Promise<SessionRow> {
    const row = await this.find(tenant, name);
    if (row === undefined) throw notFound(name);
    return row;
  }

  info(row: SessionRow): SessionInfo {
    const { resident, hasUndelivered } = this.#parts;
    return sessionInfo(row, resident(row.tenant, row.name), hasUndelivered(row.id));
  }
}

/** The refusal of a name that no session of the caller has. */
export function notFound(name: string): RoundhouseError {
  return new RoundhouseError('session_not_found', `No session ${name} belongs to this key.`);
}
