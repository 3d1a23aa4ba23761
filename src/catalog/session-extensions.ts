import { RoundhouseError } from '../errors.ts';
import type { AgentMessages, WatchedMessage } from '../log/agent-messages.ts';
import type { SessionPool } from '../pool/session-pool.ts';
import type { TranscriptPart } from '../pool/transcript-pages.ts';
import type { SessionView } from './session-view.ts';
import type { Sessions } from './sessions.ts';

export interface SessionExtensionsParts {
  readonly sessions: Pick<Sessions, 'view'>;
  readonly pool: Pick<SessionPool, 'readTranscript' | 'warm'>;
  /** What agents say. Without it nobody is shown any of it: the operator has to switch it on. */
  readonly agentMessages?: AgentMessages | undefined;
}

/**
 * What can be done with a session beyond the API. Another tenant's, and one that exists by name only, is `not_found`; every
 * method rejects with `storage_failed` too.
 */
export class SessionExtensions {
  readonly #parts: SessionExtensionsParts;

  constructor(parts: SessionExtensionsParts) {
    this.#parts = parts;
  }

  /**
   * Brings a session's process back ahead of its next event. Resolves when it is connected, or a turn is under way.
   * `session_archived`, and what a process is refused with.
   */
  async warm(tenant: string, id: string, signal?: AbortSignal): Promise<SessionView> {
    const { sessions, pool } = this.#parts;
    const { archivedAt } = (await sessions.view(tenant, id)).kept;
    if (archivedAt !== null) {
      throw new RoundhouseError(
        'session_archived',
        `The session ${id} was archived at ${archivedAt}: it takes no more events, so it needs no process.`,
      );
    }
    await pool.warm(tenant, id, signal);
    return sessions.view(tenant, id);
  }

  /** What the agent knows of the session, in its own form. */
  async transcript(tenant: string, id: string): Promise<AsyncIterable<TranscriptPart>> {
    const { sessions, pool } = this.#parts;
    await sessions.view(tenant, id);
    return pool.readTranscript(tenant, id);
  }

  /** What the agent says from now on, until the signal aborts. `not_found` unless the operator has switched it on. */
  async agentEvents(
    tenant: string,
    id: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly WatchedMessage[]>> {
    const { sessions, agentMessages } = this.#parts;
    await sessions.view(tenant, id);
    if (agentMessages !== undefined) return agentMessages.follow(id, signal);
    throw new RoundhouseError(
      'not_found',
      'What agents say is not shown by this server: they can hold anything. The operator may switch it on with server.agentEvents.',
    );
  }

  /** Always rejects, with `unsupported_field` where there is such a session. */
  async rewind(tenant: string, id: string): Promise<never> {
    await this.#parts.sessions.view(tenant, id);
    throw new RoundhouseError(
      'unsupported_field',
      'not supported: rewind. Claude Code keeps what a file was before it with the process that changed it, so files could not be brought back once that is gone. Fork the session from an event before it; to bring files back, let the agent use git.',
    );
  }
}
