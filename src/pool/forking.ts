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

/** Makes sessions that begin as copies of others. Their row comes last: until then nobody can see anything of them. */
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
    if (source.staleTranscriptFolder !== null) throw incomplete(source);
    const point = await forkPoint(store, source.id, eventId);
    const takeBack = await quota.admit(source.tenant);
    const id = newSessionId();
    const agentSessionId = newAgentSessionId();
    const { tenant, options, limits, ownsWorkspace } = source;
    let workspace: string | undefined;
    try {
      await this.#forkTranscript(source, agentSessionId, point);
      workspace = ownsWorkspace ? await host.createWorkspace(id) : source.workspace;
      await announce(id, ownsWorkspace ? workspace : undefined);
      const session: NewSession = {
        id,
        tenant,
        name: id,
        agentSessionId,
        options,
        limits,
        workspace,
        ownsWorkspace,
        kind: 'named',
        owner,
        createdAt: wallClockIso(),
      };
      return await store.forkSession(session, { sessionId: source.id, upto: point.upto });
    } catch (error) {
      takeBack();
      if (ownsWorkspace && workspace !== undefined) await host.removeWorkspace(workspace);
      await this.#discard(agentSessionId);
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

  /** Nobody can ask for it: it would only take up room. */
  async #discard(agentSessionId: string): Promise<void> {
    const { transcripts } = this.#parts.store;
    for (const subpath of await transcripts.listSubpaths(agentSessionId))
      await transcripts.replace({ agentSessionId, subpath }, []);
  }
}

function incomplete({ name }: SessionRow): RoundhouseError {
  return new RoundhouseError(
    'session_busy',
    `The transcript of session ${name} is not complete in the store. It is completed when the session gets its next process: prompt it or warm it, then fork.`,
  );
}
