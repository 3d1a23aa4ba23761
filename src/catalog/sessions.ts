import type { CatalogStore } from '../contracts/catalog-store.ts';
import { damageOf } from '../contracts/damaged-row.ts';
import type { RepositoryToClone } from '../contracts/host.ts';
import type { SessionRow } from '../contracts/session-store.ts';
import type { AgentDefinition } from '../definitions/agent.ts';
import type { EnvironmentDefinition, Workspace } from '../definitions/environment.ts';
import type { Kept, KeptList } from '../definitions/kept.ts';
import type { SessionDefinition, SessionResource } from '../definitions/session.ts';
import { RoundhouseError } from '../errors.ts';
import { newResourceId, newSessionId } from '../events/ids.ts';
import type { PromptContent } from '../events/record.ts';
import type { Announce } from '../pool/session-request.ts';
import type { SessionPool } from '../pool/session-pool.ts';
import type { SessionInput } from '../session/session-input.ts';
import { wallClockIso } from '../time/clock.ts';
import { planAgent, type AgentRules } from './agent-plan.ts';
import type { Agents } from './agents.ts';
import { Documents, type ListQuery } from './documents.ts';
import type { Environments } from './environments.ts';
import type { PromptFiles } from './prompt-files.ts';
import { snapshotOf } from './session-agent.ts';
import {
  checkBudgetable,
  checkChange,
  updatedEvent,
  type SessionChange,
} from './session-change.ts';
import { activityOf, viewOf, type SessionActivity, type SessionView } from './session-view.ts';

/** Longest title that the API takes. */
const MAX_TITLE_CHARS = 1_024;
const FORK_MARK = ' (fork)';

/** A file, and where it is to stand. */
type SessionFile = Pick<SessionResource, 'file_id' | 'mount_path'>;

/** What a client asks a session to be made of. */
export interface SessionDraft {
  readonly agent: {
    readonly id: string;
    /** Default: the one that holds. */
    readonly version: number | undefined;
    /** What is laid over the agent, for this session only. */
    readonly override: (agent: AgentDefinition) => AgentDefinition;
  };
  readonly environmentId: string;
  readonly title: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly resources: readonly SessionFile[];
  readonly budget: SessionDefinition['budget'];
  /** Sent to the session when it is there, in their order. */
  readonly prompts: readonly PromptContent[];
}

/** What a client asks a fork to be. */
export interface SessionForkDraft {
  /** The event from which on the two differ. Default: the end of what is complete. */
  readonly eventId: string | undefined;
  /** Default: that of the other one, marked. */
  readonly title: string | null | undefined;
}

/** What a session is made of, by whatever way. */
interface Made {
  readonly definition: SessionDefinition;
  readonly workspace: Workspace;
  readonly inputs: readonly SessionInput[];
  readonly signal: AbortSignal | undefined;
}

/** What of the pool the resource works with. */
export type SessionsPool = Pick<
  SessionPool,
  | 'busySessions'
  | 'createSession'
  | 'deleteSession'
  | 'findClient'
  | 'forkSession'
  | 'getSessionInfo'
>;

/** Which sessions are asked for. */
export interface SessionsQuery extends Pick<
  ListQuery,
  | 'after'
  | 'agentId'
  | 'agentVersion'
  | 'createdFrom'
  | 'createdTo'
  | 'includeArchived'
  | 'limit'
  | 'order'
> {
  /** Default: any. */
  readonly statuses?: readonly (SessionActivity | 'terminated')[] | undefined;
}

/** A page of sessions. */
export interface SessionsPage extends Pick<KeptList<unknown>, 'next' | 'prev'> {
  readonly items: readonly SessionView[];
}

/**
 * Puts files of a tenant into the workspace of a new session, before it is prompted. Rejects where one can't be: then there
 * is no session.
 */
export type PlaceFiles = (
  session: Pick<SessionRow, 'tenant' | 'id' | 'workspace' | 'ownsWorkspace'>,
  resources: readonly SessionResource[],
) => Promise<void>;

/**
 * Clones a repository of this host into the folder that was made for a session. Rejects where that can't be, and with the
 * signal's reason when that aborts: then there is no session.
 */
export type CloneRepository = (
  tenant: string,
  ownWorkspace: string,
  repository: RepositoryToClone,
  signal?: AbortSignal,
) => Promise<void>;

export interface SessionsParts {
  readonly store: CatalogStore;
  readonly agents: Agents;
  readonly environments: Environments;
  readonly rules: AgentRules;
  readonly pool: SessionsPool;
  readonly promptFiles: Pick<PromptFiles, 'complete'>;
  /** Without it sessions have no files: `unsupported_field`. */
  readonly placeFiles?: PlaceFiles;
  readonly cloneRepository: CloneRepository;
  /** Whether a tenant still has a file. Default: it has each that a session was made with. */
  readonly hasFile?: (tenant: string, fileId: string) => Promise<boolean>;
}

/**
 * Sessions as a resource: what each was made of, joined with the session of the pool that has its id for a name. Another
 * tenant's, and sessions that exist by name only, are `not_found`; every method rejects with `storage_failed` too.
 */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #documents: Documents<'session'>;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    this.#documents = new Documents({ store: parts.store, kind: 'session', mintId: newSessionId });
  }

  /**
   * Makes a session. It has no process yet, unless a prepared one was ready; its prompts are in the store when this
   * resolves. Rejects with `not_found` or `agent_archived`, `environment_archived` for what it is made of, with
   * `unsupported_field` for an agent that this host can't run, `invalid_request` for a budget that can't be kept, as
   * {@link PromptFiles.complete} does, with what the pool refuses a new session or a prompt for, with what
   * {@link Host.cloneRepository} refuses, which it waits for, or with the reason of `signal` when that aborts before the
   * prompts are sent; then there is none.
   */
  async create(tenant: string, draft: SessionDraft, signal?: AbortSignal): Promise<SessionView> {
    const { environments, rules, pool, promptFiles } = this.#parts;
    const agent = await this.#agentOf(tenant, draft.agent);
    const environment = inUse(await environments.get(tenant, draft.environmentId), 'environment');
    await environments.check(tenant, environment.body);
    if (draft.resources.length > 0 && this.#parts.placeFiles === undefined) throw noFiles();
    checkBudgetable({ agent, budget: draft.budget });
    const options = await planAgent(agent, rules);
    const definition: SessionDefinition = {
      agent,
      environmentId: environment.id,
      title: draft.title,
      metadata: draft.metadata,
      resources: draft.resources.map(newResource),
      budget: draft.budget,
    };
    const prompts = draft.prompts.map((content) => ({ kind: 'prompt', content }) as const);
    const inputs = await promptFiles.complete(tenant, 'initial_events', prompts);
    const { workspace, limits } = environment.body;
    return this.#make(tenant, { definition, workspace, inputs, signal }, (announce) =>
      pool.createSession({
        tenant,
        agent: options,
        workspace: workspace.type === 'folder' ? workspace.path : undefined,
        limits,
        mayTakeSpare: fitsSpare(environment.body),
        announce,
      }),
    );
  }

  /**
   * Makes a session that begins as a copy of another one, archived or not, up to a complete point; what was given to that one
   * is given to it: the agent, the environment, metadata, files that are still there, a budget of the same height, limits; a clone is made anew, as
   * the environment says now. Rejects with `not_found`, `environment_archived`, `session_busy`, and with what the pool refuses
   * a fork for, the host a clone, or `signal` when it aborts; then there is none.
   */
  async fork(
    tenant: string,
    id: string,
    { eventId, title }: SessionForkDraft,
    signal?: AbortSignal,
  ): Promise<SessionView> {
    const { environments, pool } = this.#parts;
    const { body } = (await this.view(tenant, id)).kept;
    const environment = inUse(await environments.get(tenant, body.environmentId), 'environment');
    await environments.check(tenant, environment.body);
    const { there, missing } = await this.#filesOf(tenant, body.resources);
    const definition: SessionDefinition = {
      ...body,
      title: title === undefined ? forkTitle(body.title) : title,
      resources: there.map(newResource),
      forkedFrom: { sessionId: id, eventId: eventId ?? null, missingFiles: missing },
    };
    const { workspace } = environment.body;
    return this.#make(tenant, { definition, workspace, inputs: [], signal }, (announce) =>
      pool.forkSession(tenant, id, { eventId, announce }),
    );
  }

  /** What it was made of, archived or not. Whether there is still a session behind it, {@link Sessions.view} tells. */
  get(tenant: string, id: string): Promise<Kept<SessionDefinition>> {
    return this.#documents.get(tenant, id);
  }

  /** The session as it is, archived or not. */
  async view(tenant: string, id: string): Promise<SessionView> {
    const kept = await this.#documents.get(tenant, id);
    return this.#documents.found(id, await this.#view(tenant, kept));
  }

  async list(tenant: string, { statuses, ...query }: SessionsQuery): Promise<SessionsPage> {
    const { items, next, prev } = await this.#documents.list(tenant, {
      ...query,
      ...this.#inStatus(tenant, statuses),
    });
    const views = await Promise.all(items.map((kept) => this.#viewInList(tenant, kept)));
    return { items: views.filter((view) => view !== undefined), next, prev };
  }

  /**
   * Changes a session, which has it with its next turn, and tells its readers what changed. `session_archived`;
   * `session_busy` for another agent while it runs; `invalid_request`, `unsupported_field` for a change that can't be. Where
   * it rejects with `storage_failed` the change may have been made, and may be asked for again.
   */
  async update(
    tenant: string,
    id: string,
    { namesAgent, apply }: SessionChange,
  ): Promise<SessionView> {
    const { rules, pool } = this.#parts;
    const view = await this.view(tenant, id);
    let from = view.kept.body;
    const kept = await this.#documents.change(tenant, id, async (current) => {
      from = current;
      const to = apply(current);
      checkChange(view, from, to);
      await planAgent(to.agent, rules);
      return to;
    });
    const event = updatedEvent(from, kept.body);
    if (event !== undefined || namesAgent) {
      const client = await pool.findClient(tenant, id);
      const options = await planAgent(kept.body.agent, rules);
      await client.update(event, namesAgent ? options : undefined);
    }
    return this.view(tenant, id);
  }

  /**
   * Takes no more events, for good; it can be read. Archived again it stays as it is. `session_busy` while it runs; a turn
   * that waits for its client ends.
   */
  async archive(tenant: string, id: string): Promise<SessionView> {
    const { kept } = await this.view(tenant, id);
    if (kept.archivedAt === null) {
      // The session first: a document that is archived would keep it from being asked for again.
      const client = await this.#parts.pool.findClient(tenant, id);
      await client.archive(wallClockIso());
      await this.#documents.archive(tenant, id);
    }
    return this.view(tenant, id);
  }

  /** Ends a session for good, archived or not, with its events and the workspace that was made for it. `session_busy` while it runs. */
  async remove(tenant: string, id: string): Promise<void> {
    const view = await this.#view(tenant, await this.#documents.get(tenant, id));
    if (view !== undefined && view.status !== 'idle') {
      throw new RoundhouseError(
        'session_busy',
        `Session ${id} is running a turn and can't be deleted; interrupt it, or wait for its end.`,
      );
    }
    await this.#erase(tenant, id);
  }

  /**
   * Makes the session of a definition. The document comes first: one without a session behind it is shown to nobody, and a
   * session without one would count.
   */
  async #make(
    tenant: string,
    { definition, workspace, inputs, signal }: Made,
    makeRow: (announce: Announce) => Promise<SessionRow>,
  ): Promise<SessionView> {
    let kept: Kept<SessionDefinition> | undefined;
    try {
      const row = await makeRow(async (id, ownWorkspace) => {
        kept = await this.#documents.create(tenant, definition, id);
        // Before the session is there, so that nobody prompts it in half a clone.
        if (workspace.type === 'git_clone' && ownWorkspace !== undefined)
          await this.#parts.cloneRepository(tenant, ownWorkspace, workspace, signal);
      });
      if (definition.resources.length > 0)
        await this.#parts.placeFiles?.(row, definition.resources);
      // Nobody knows it yet. What it is prompted for from here on may have been done before it could be taken back.
      signal?.throwIfAborted();
      await this.#send(tenant, row.id, inputs);
      return this.#documents.found(row.id, kept && (await this.#view(tenant, kept)));
    } catch (error) {
      // What is left when that fails too can be removed under its id, and is shown to nobody without a session.
      if (kept !== undefined) await this.#erase(tenant, kept.id).catch(() => {});
      throw error;
    }
  }

  async #view(tenant: string, kept: Kept<SessionDefinition>): Promise<SessionView | undefined> {
    return viewOf(kept, await this.#parts.pool.getSessionInfo(tenant, kept.id));
  }

  /** As {@link Sessions.#view}; undefined too for one that is damaged in the store, which must not hide the others. */
  async #viewInList(
    tenant: string,
    kept: Kept<SessionDefinition>,
  ): Promise<SessionView | undefined> {
    try {
      return await this.#view(tenant, kept);
    } catch (error) {
      if (damageOf(error) === undefined) throw error;
      return undefined;
    }
  }

  /** Which are at work is known in memory, and they are few: the others are told by leaving them out. */
  #inStatus(
    tenant: string,
    statuses: SessionsQuery['statuses'],
  ): Pick<ListQuery, 'among' | 'except'> {
    if (statuses === undefined) return {};
    const busy = [...this.#parts.pool.busySessions(tenant)].flatMap(([id, phase]) => {
      const status = activityOf(phase);
      return status === 'idle' ? [] : [{ id, asked: statuses.includes(status) }];
    });
    const ids = (asked: boolean): string[] =>
      busy.flatMap((session) => (session.asked === asked ? session.id : []));
    return statuses.includes('idle') ? { except: ids(false) } : { among: ids(true) };
  }

  /** Files of a session that are still there, and those that are not. */
  async #filesOf(
    tenant: string,
    resources: readonly SessionResource[],
  ): Promise<{ there: SessionFile[]; missing: SessionFile[] }> {
    const there: SessionFile[] = [];
    const missing: SessionFile[] = [];
    for (const { file_id, mount_path } of resources) {
      const has = await (this.#parts.hasFile?.(tenant, file_id) ?? true);
      (has ? there : missing).push({ file_id, mount_path });
    }
    return { there, missing };
  }

  async #agentOf(
    tenant: string,
    { id, version, override }: SessionDraft['agent'],
  ): Promise<SessionDefinition['agent']> {
    const kept = inUse(await this.#parts.agents.get(tenant, id, version), 'agent');
    return snapshotOf({ ...kept, body: override(kept.body) });
  }

  async #send(tenant: string, id: string, inputs: readonly SessionInput[]): Promise<void> {
    if (inputs.length === 0) return;
    const client = await this.#parts.pool.findClient(tenant, id);
    await client.submit(inputs);
  }

  /** The session, which takes the document along; or a document that was left without one. */
  async #erase(tenant: string, id: string): Promise<void> {
    const deleted = await this.#parts.pool.deleteSession(tenant, id);
    const removed = await this.#parts.store.remove(this.#documents.key(tenant, id));
    if (!deleted && !removed) this.#documents.found(id, undefined);
  }
}

function inUse<Body>(kept: Kept<Body>, kind: 'agent' | 'environment'): Kept<Body> {
  if (kept.archivedAt === null) return kept;
  throw new RoundhouseError(
    `${kind}_archived`,
    `The ${kind} ${kept.id} was archived at ${kept.archivedAt}: no session can be made with it any more; use another one.`,
  );
}

/** A prepared process has no variables, and has seen its folder empty: it would tell the model that there is no repository. */
function fitsSpare({ variables, workspace }: EnvironmentDefinition): boolean {
  return Object.keys(variables).length === 0 && workspace.type !== 'git_clone';
}

/** As Claude Code names its own forks. */
function forkTitle(title: string | null): string | null {
  return title === null
    ? null
    : `${title.slice(0, MAX_TITLE_CHARS - FORK_MARK.length)}${FORK_MARK}`;
}

function newResource(file: SessionFile): SessionResource {
  return { id: newResourceId(), type: 'file', ...file, created_at: wallClockIso() };
}

function noFiles(): RoundhouseError {
  return new RoundhouseError(
    'unsupported_field',
    'not supported by this server: resources (files can not be put into workspaces yet). Remove it',
  );
}
