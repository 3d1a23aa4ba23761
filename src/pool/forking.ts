import { forkPoint, promptsBehind, type ForkPoint } from './fork-point.ts';
import type { SessionQuota } from './session-quota.ts';
import type { Announce } from './session-request.ts';
import type { AgentDriver } from '../contracts/agent-driver.ts';
import type { Host } from '../contracts/host.ts';
import type { NewSession, SessionRow, SessionStore } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import { newAgentSessionId, newSessionId } from '../events/ids.ts';
import { wallClockIso } from '../time/clock.ts';

/** How a session is forked. */
export interface ForkRequest {
  /** The event from which on the two differ; see {@link forkPoint}. Default: the end of what is complete. */
  readonly eventId: string | undefined;
  /** As for a new one. */
  readonly announce: Announce;
}

export interface ForkingParts {
  readonly store: SessionStore;
  readonly driver: Pick<AgentDriver, 'forkTranscript'>;
  readonly host: Pick<Host, 'createWorkspace' | 'removeWorkspace'>;
  readonly quota: Pick<SessionQuota, 'admit'>;
  /** This host's name, as the owner of its sessions. */
  readonly owner: string;
}

/** Makes sessions that begin as copies of others. Nobody can see anything of one before all of it is there. */
export class Forking {
  readonly #parts: ForkingParts;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(parts: ForkingParts) {
    this.#parts = parts;
  }

  /**
   * A session of the same tenant, options and limits, whose name is its id, with the events and the transcript of `source` up
   * to a complete point. It works in the same folder, if that was named by a caller, else in a new, empty one. Rejects with
   * `not_found` and `session_busy` for the event, `session_limit_reached`, or as `announce` does; then there is none.
   */
  fork(source: SessionRow, request: ForkRequest): Promise<SessionRow> {
    const forking = this.#fork(source, request).finally(() => this.#underWay.delete(forking));
    this.#underWay.add(forking);
    return forking;
  }

  /** Settles when none is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #fork(source: SessionRow, { eventId, announce }: ForkRequest): Promise<SessionRow> {
    const { store, host, quota, owner } = this.#parts;
    refuseIncomplete(source);
    const point = await forkPoint(store, source.id, eventId);
    // A turn may have ended before the point was found; where its transcript is not complete, the row says so by its end.
    refuseIncomplete(await store.getSession(source.id));
    const takeBack = await quota.admit(source.tenant);
    const id = newSessionId();
    const agentSessionId = newAgentSessionId();
    const { tenant, options, limits, ownsWorkspace } = source;
    let own: string | undefined;
    try {
      if (ownsWorkspace) own = await host.createWorkspace(id);
      const session: NewSession = {
        id,
        tenant,
        name: id,
        agentSessionId,
        options,
        limits,
        workspace: own ?? source.workspace,
        ownsWorkspace,
        kind: 'named',
        owner,
        createdAt: wallClockIso(),
      };
      const from = { sessionId: source.id, upto: point.upto };
      return await store.forkSession(session, from, async () => {
        await this.#forkTranscript(source, agentSessionId, point);
        await announce(id, own);
      });
    } catch (error) {
      takeBack();
      if (own !== undefined) await host.removeWorkspace(own);
      throw error;
    }
  }

  /** The transcript may grow while it is copied. What it then has of new prompts stands in the log before: once more. */
  async #forkTranscript(source: SessionRow, to: string, point: ForkPoint): Promise<void> {
    const { store, driver } = this.#parts;
    let before = await promptsBehind(store, source.id, point);
    for (let copied = -1; copied !== before.length;) {
      copied = before.length;
      await driver.forkTranscript({ from: source.agentSessionId, to, before }, store.transcripts);
      before = await promptsBehind(store, source.id, point);
    }
  }
}

/** One that has been deleted meanwhile is refused by the store. */
function refuseIncomplete(row: SessionRow | undefined): void {
  if (row === undefined || row.staleTranscriptFolder === null) return;
  throw new RoundhouseError(
    'session_busy',
    `The transcript of session ${row.name} is not complete in the store. It is completed when the session gets its next process: prompt it or warm it, then fork.`,
  );
}
