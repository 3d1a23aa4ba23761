import { BrokenSessions } from './broken-sessions.ts';
import { isEvictable, isFresh, UNUSED_GRACE_SECONDS } from './eviction.ts';
import { Handover } from './handover.ts';
import { isSpent, startHousekeeping } from './housekeeping.ts';
import { NamedWorkspaces, type WorkspaceRules } from './named-workspaces.ts';
import { Newcomers } from './newcomers.ts';
import type { PoolOptions } from './options.ts';
import { Places } from './places.ts';
import { sumUp, type PoolStats } from './pool-stats.ts';
import { Processes } from './processes.ts';
import { recover, runUndelivered, type RecoveryParts, type RecoveryResult } from './recovery.ts';
import { Residents } from './residents.ts';
import { Retention } from './retention.ts';
import { SessionQuota } from './session-quota.ts';
import { sessionInfo, type SessionInfo } from './session-info.ts';
import { Tenants, type TenantLimits } from './tenants.ts';
import type { Spare } from './spares.ts';
import { Undelivered } from './undelivered.ts';
import type { AgentDriver, AgentOptions } from '../contracts/agent-driver.ts';
import type { Answerer } from '../contracts/answerer.ts';
import type { Host } from '../contracts/host.ts';
import type { SessionRow, SessionStore } from '../contracts/session-store.ts';
import type { SeedMessage } from '../contracts/transcripts.ts';
import { asRoundhouseError, RoundhouseError } from '../errors.ts';
import type { LogItem } from '../events/preview.ts';
import type { EventRecord } from '../events/record.ts';
import type { TailLimits } from '../log/tail.ts';
import { checkedLimits, type TurnLimits } from '../session/limits.ts';
import { SessionClient } from '../session/session-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { withinDeadline } from '../time/deadline.ts';
import { after } from '../time/timers.ts';

/** What a pool works with. `compose.ts` puts it together. */
export interface SessionPoolParts {
  /** `maxProcesses` and `maxStarts` resolved: they depend on the machine. */
  readonly options: PoolOptions & { readonly maxProcesses: number; readonly maxStarts: number };
  readonly driver: AgentDriver;
  readonly store: SessionStore;
  readonly host: Host;
  readonly answerer: Answerer;
  readonly telemetry: Telemetry;
  /** This host's name, as the owner of its sessions. */
  readonly owner: string;
  readonly tailLimits?: TailLimits;
  /** What each tenant may use of what all share. Default: the same for all. */
  readonly tenantLimits?: ReadonlyMap<string, TenantLimits>;
  /** Folders that callers may name. Default: none. */
  readonly workspaces?: WorkspaceRules;
  /** Options under those of every session. They are not stored: a change holds for known sessions too. */
  readonly defaultAgent?: AgentOptions;
}

/** How a session is asked for. */
export interface SessionRequest {
  /** Whose session it is. Names are unique, and visible, within a tenant only. Default `default`. */
  readonly tenant?: string;
  /** Laid over the session's options: omitted means inherit, equal means nothing happens. */
  readonly agent?: AgentOptions;
  /**
   * The folder the agent works in: an absolute path, of those that the operator allows. Default: a folder of its own, which
   * goes with the session; this one stays. Several sessions may work in one. Fixed when the session is made: for a known
   * one omitted means inherit, equal means nothing happens, and another is refused.
   */
  readonly workspace?: string;
  /** Laid over the session's limits, within the bounds of `pool.limits`; they stay with it. A turn may have its own on top. */
  readonly limits?: Partial<TurnLimits>;
  /** For a new session. Default `named`. */
  readonly kind?: SessionRow['kind'];
  /**
   * Goes before callers of a lower one of the same tenant where a slot must be waited for: -10 to 10, default 0. Never
   * before those of another tenant.
   */
  readonly priority?: number;
  /** For a new session: messages that came before. A known session has its own. */
  readonly history?: readonly SeedMessage[];
  /** Gives up the wait of this caller; nobody else's. */
  readonly signal?: AbortSignal;
}

const DEFAULT_TENANT = 'default';

/** What of a request has been looked at. */
interface Checked {
  readonly limits: SessionRow['limits'] | undefined;
  /** The real path of the folder that was named. */
  readonly workspace: string | undefined;
}

/**
 * Live agent processes, addressed by session id. A session is data in the store; a process is a cache of it that the pool
 * takes and gives back as it needs. The order in which it decides is rows S1 to S18 of `docs/session-lifecycle.md`.
 */
export class SessionPool {
  readonly #parts: SessionPoolParts;
  readonly #tenants: Tenants;
  readonly #workspaces: NamedWorkspaces;
  readonly #processes: Processes;
  readonly #handover: Handover;
  readonly #places: Places;
  readonly #residents: Residents;
  readonly #newcomers: Newcomers;
  readonly #quota: SessionQuota;
  readonly #broken: BrokenSessions;
  readonly #stopHousekeeping: () => void;
  readonly #retention: Retention;
  #refusal: RoundhouseError | undefined;
  #closing: Promise<void> | undefined;
  readonly #hurry = Promise.withResolvers<void>();
  #undelivered = new Undelivered();
  #recovering: Promise<void> = Promise.resolve();

  constructor(parts: SessionPoolParts) {
    this.#parts = parts;
    const { options, host, telemetry } = parts;
    const { maxWaiters, waitMs, sessionTtlMs, connectionRecovery } = options;
    this.#tenants = new Tenants(parts.tenantLimits);
    this.#workspaces = new NamedWorkspaces(parts.workspaces ?? {}, host);
    this.#processes = new Processes({
      ...parts,
      workspaces: this.#workspaces,
      tenants: this.#tenants,
    });
    this.#handover = new Handover({
      sessionTtlMs,
      connectionRecovery,
      take: (client, reason) => this.#processes.take(client, reason),
      telemetry,
    });
    this.#places = new Places({
      capacity: options.maxSessions,
      maxWaiters,
      waitMs,
      leave: (client) => this.#forget(client),
    });
    this.#quota = new SessionQuota({
      store: parts.store,
      maxSessionsOf: (tenant) => this.#tenants.maxSessionsOf(tenant),
    });
    this.#broken = new BrokenSessions(telemetry);
    this.#residents = new Residents({
      ...parts,
      quota: this.#quota,
      mend: (sessionId) => this.#broken.mend(sessionId),
      places: this.#places,
      takeSpare: (agent, workspace) => this.#processes.takeSpare(agent, workspace),
      discardSpare: (spare) => this.#processes.discardSpare(spare),
      makeClient: (row, lastNumber, spare) => this.#makeClient(row, lastNumber, spare),
      arrived: (client) => this.#onArrival(client),
      onUnawaited: (client) => this.#withdrawIfNobodys(client),
    });
    this.#newcomers = new Newcomers({
      ...parts,
      removeData: (row) => this.#removeData(row),
      reuse: (agent, spare) => this.#processes.reuse(agent, spare),
    });
    this.#stopHousekeeping = startHousekeeping({
      clients: () => this.#residents.clients(),
      holders: () => [...this.#processes.holders],
      disconnect: (client, reason) => void this.#processes.take(client, reason),
      forget: (client) => void this.#forget(client),
      memoryAvailableBytes: () => host.memoryAvailableBytes(),
      hasProcesses: () => this.#processes.owned > 0,
      shrink: () => this.#processes.shrink(),
      telemetry,
      ...options,
    });
    this.#retention = new Retention({
      ...options,
      store: parts.store,
      clients: () => this.#residents.clients(),
      telemetry,
    });
  }

  /**
   * Puts in order what an earlier host left. Call once, before the first session is asked for, and
   * {@link SessionPool.resumePrompts} when the start has succeeded.
   */
  async recover(): Promise<RecoveryResult> {
    const result = await recover(this.#recoveryParts());
    this.#undelivered = new Undelivered(result.prompts);
    return result;
  }

  /**
   * Runs, in the background, the prompts that an earlier host accepted and never delivered. Those of a session that is asked
   * for before its turn run then, ahead of what its callers prompt.
   */
  resumePrompts(): void {
    this.#recovering = runUndelivered(this.#undelivered, this.#recoveryParts());
  }

  /**
   * Gives out the session of that id: the resident one, or one resumed from the store, or a new one. When it returns, a
   * process is connected or a turn is under way; it waits on this session's own affairs only. A busy, healthy session is
   * returned at once: queueing, or refusing, is `prompt`'s.
   *
   * Rejects with `pool_disabled`, `invalid_request`, `pool_at_capacity`, `queue_full`, `draining`, `session_connection_failed`,
   * `agent_unavailable`, `session_limit_reached`, `storage_failed`, `session_ended` when the session is deleted meanwhile, or
   * the signal's reason; where a folder was named also with `workspace_not_allowed`, `workspace_unavailable`, and
   * `unsupported_field` when the session works elsewhere.
   */
  async getSessionClient(sessionId: string, request: SessionRequest = {}): Promise<SessionClient> {
    const { telemetry, options } = this.#parts;
    const { log } = telemetry;
    const tenant = request.tenant ?? DEFAULT_TENANT;
    const currentSessions = this.#residents.size;
    log.debug?.('session_pool_get_client_start', {
      sessionId,
      poolEnabled: options.enabled,
      currentSessions,
      maxSessions: options.maxSessions,
      sessionExists: this.#residents.get(tenant, sessionId) !== undefined,
    });
    if (!options.enabled) {
      log.error('session_pool_disabled', { sessionId });
      throw new RoundhouseError('pool_disabled', 'Session pool is disabled');
    }
    try {
      if (this.#refusal !== undefined) throw this.#refusal;
      request.signal?.throwIfAborted();
      const client = await this.#giveOut(tenant, sessionId, request);
      log.debug?.('session_pool_get_client_complete', {
        sessionId,
        clientId: client.clientId,
        sessionStatus: client.status,
        sessionAgeSeconds: client.ageSeconds,
        sessionMessageCount: client.row.turnCount,
      });
      return client;
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      const refusal = asRoundhouseError(error);
      telemetry.metrics.count('roundhouse_refusals_total', { code: refusal.code });
      if (refusal.code === 'pool_at_capacity' || refusal.code === 'queue_full') {
        log.error('session_pool_at_capacity', {
          sessionId,
          currentSessions,
          maxSessions: options.maxSessions,
          maxProcesses: options.maxProcesses,
        });
      }
      throw refusal;
    }
  }

  /** Sessions of a tenant that the store knows, newest first. `limit` 1 to 1000. */
  async listSessions(
    tenant: string,
    query: { limit: number; after?: string },
  ): Promise<{ sessions: SessionInfo[]; next: string | null }> {
    const page = await this.#parts.store.listSessions({ tenant, ...query, kind: 'named' });
    return { sessions: page.sessions.map((row) => this.#info(row)), next: page.next };
  }

  async getSessionInfo(tenant: string, name: string): Promise<SessionInfo | undefined> {
    const row = await this.#findRow(tenant, name);
    return row && this.#info(row);
  }

  /**
   * Records after a number, in order, at most `limit`. When the first one is not the next number, those between are gone
   * (`pool.retention`). `session_not_found`.
   */
  async readEvents(
    tenant: string,
    name: string,
    query: { after: number; limit: number },
  ): Promise<EventRecord[]> {
    const row = await this.#knownRow(tenant, name);
    return this.#parts.store.readEvents(row.id, query.after, query.limit);
  }

  /**
   * Records after a number, then what happens. The session needs no process for it; with `warmOnRead` it gets one, in the
   * background, where a slot is free. `session_not_found`.
   */
  async followEvents(
    tenant: string,
    name: string,
    query: { after: number; signal?: AbortSignal },
  ): Promise<AsyncIterable<LogItem>> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const client = await this.#residents.find(tenant, name, query.signal);
    if (client === undefined) throw notFound(name);
    if (this.#parts.options.warmOnRead) client.warmIfFree();
    return client.read(query);
  }

  /** Interrupts what the session runs, and waits for its end. False when nothing was running. `session_not_found`. */
  async interruptSession(tenant: string, name: string): Promise<boolean> {
    const client = this.#residents.get(tenant, name);
    if (client !== undefined) return client.interrupt();
    await this.#knownRow(tenant, name);
    return false;
  }

  /**
   * Brings a session's process back ahead of its next prompt. Resolves when it is connected and has loaded what its first
   * request needs, or a turn is under way. It evicts and waits as {@link SessionPool.getSessionClient} does. `session_not_found`, and what that rejects with.
   */
  async warm(tenant: string, name: string, signal?: AbortSignal): Promise<SessionInfo> {
    await this.#knownRow(tenant, name);
    const client = await this.getSessionClient(name, {
      tenant,
      ...(signal !== undefined && { signal }),
    });
    await client.warmUp();
    return this.#info(client.row);
  }

  /**
   * Ends a session for good: what it runs, its process, its data, the workspace that was made for it. False when there was
   * none.
   */
  async deleteSession(tenant: string, name: string): Promise<boolean> {
    const known = await this.#findRow(tenant, name);
    if (known === undefined) return false;
    const { id } = known;
    for (;;) {
      const client = this.#residents.get(tenant, name);
      // Another call has deleted it, and what has that name now is new.
      if (client !== undefined && client.id !== id) return false;
      const deleted =
        client === undefined
          ? await this.#residents.whileAbsent(tenant, name, (row) => this.#erase(row, id))
          : await this.#endForGood(client);
      // It has come into memory, or was leaving it, meanwhile.
      if (deleted !== undefined) return deleted;
    }
  }

  stats(): PoolStats {
    const { slots, spares } = this.#processes;
    const { used, capacity, waiting } = slots;
    return {
      residentSessions: this.#residents.size,
      maxSessions: this.#places.capacity,
      processSlots: { used, capacity, waiting },
      spares: { ready: spares.ready, starting: spares.starting },
      ...sumUp(this.#residents.clients()),
    };
  }

  /** Memory of every attached process, in bytes, by session id. */
  async processMemory(): Promise<ReadonlyMap<string, number>> {
    const memory = new Map<string, number>();
    for (const client of this.#processes.holders) {
      const bytes = await client.memoryBytes();
      if (bytes !== undefined) memory.set(client.id, bytes);
    }
    return memory;
  }

  /** Processes that have started and are not gone, as the pool counts them; the host tells how many are alive. */
  get processesOwned(): number {
    return this.#processes.owned;
  }

  /** Whether new turns should be sent here, and if not, why. A pool whose processes keep dying still takes them, slowly. */
  readiness(): { readonly ready: boolean; readonly reason?: string } {
    if (!this.#parts.options.enabled)
      return { ready: false, reason: 'the session pool is disabled' };
    const reason = this.#refusal?.message ?? this.#processes.deaths.reason;
    return reason === undefined ? { ready: true } : { ready: false, reason };
  }

  /**
   * Takes no new turns, lets running ones finish for `drainMs`, interrupts the rest, and leaves no process behind.
   * Accepted prompts that were not delivered stay in the store and run at the next start. May be called twice.
   */
  drain(drainMs: number = this.#parts.options.drainMs): Promise<void> {
    this.#closing ??= this.#shutDown(drainMs);
    return this.#closing;
  }

  /** Ends without patience: what runs is interrupted at once, also when a drain is under way. */
  close(): Promise<void> {
    this.#hurry.resolve();
    return this.drain(0);
  }

  #recoveryParts(): RecoveryParts {
    const sessionsAtOnce = Math.max(1, Math.floor(this.#parts.options.maxProcesses / 2));
    return {
      ...this.#parts,
      broken: this.#broken,
      residents: this.#residents,
      sessionsAtOnce,
    };
  }

  async #shutDown(drainMs: number): Promise<void> {
    const { telemetry } = this.#parts;
    const refusal = new RoundhouseError(
      'draining',
      'The server is shutting down and takes no new turns; retry elsewhere.',
      {
        retryAfterSeconds: 1,
      },
    );
    this.#refusal = refusal;
    this.#stopHousekeeping();
    const retention = this.#retention.stop();
    const clients = this.#residents.clients();
    for (const client of clients) client.refusePrompts(refusal);
    this.#places.refuse(refusal);
    const spares = this.#processes.close(refusal);
    const quiet = Promise.all(clients.map((client) => client.quiet()));
    const { timedOut } = await withinDeadline(Promise.race([quiet, this.#hurry.promise]), drainMs);
    telemetry.log.info('pool_drained', { sessions: clients.length, timedOut });
    // One that was on its way may bring a prepared process along.
    await this.#residents.arrived();
    await Promise.all(this.#residents.clients().map((client) => this.#forget(client, refusal)));
    await this.#residents.empty();
    await spares;
    await this.#recovering;
    await retention;
  }

  #makeClient(row: SessionRow, lastNumber: number, spare: Spare | undefined): SessionClient {
    const { options, store, telemetry, tailLimits } = this.#parts;
    const client = new SessionClient({
      row,
      lastNumber,
      store,
      connector: this.#processes.connector,
      telemetry,
      limits: options.limits,
      maxQueuedTurns: options.maxQueuedTurns,
      admitTurn: () => this.#tenants.admitTurn(row.tenant),
      onChange: (changed) => this.#onChange(changed),
      recycle: (spent) => this.#recycleIfSpent(spent),
      ...(tailLimits !== undefined && { tailLimits }),
      ...(spare !== undefined && { spare: spare.connection }),
    });
    // It was on its way when the shutdown began.
    if (this.#refusal !== undefined) client.refusePrompts(this.#refusal);
    return client;
  }

  /**
   * The session, ready for a prompt; nothing is awaited where there is nothing to wait for. One that leaves memory while it
   * is being made ready is asked for again.
   */
  async #giveOut(tenant: string, name: string, request: SessionRequest): Promise<SessionClient> {
    const limits = checkedLimits(request.limits);
    const workspace =
      request.workspace === undefined
        ? undefined
        : await this.#workspaces.find(tenant, request.workspace);
    for (;;) {
      const resident = this.#residents.get(tenant, name);
      const client = resident ?? (await this.#admit(tenant, name, request, { limits, workspace }));
      // It may have left already by the time that this caller is told of it.
      if (resident === undefined && this.#residents.get(tenant, name) !== client) continue;
      const isNew = this.#newcomers.enter(client);
      try {
        refuseOtherWorkspace(client, workspace);
        const changed = client.change(request.agent, limits);
        if (changed !== undefined) await changed;
        client.priority = request.priority ?? 0;
        if (resident !== undefined) {
          const ready = this.#handover.readyForReuse(client, request.signal);
          if (ready !== undefined) await ready;
        }
        const connected = this.#handover.connect(client, request.signal);
        if (connected !== undefined) await connected;
        if (isNew) this.#newcomers.accept(client);
        return client;
      } catch (error) {
        const left = this.#residents.get(tenant, name) !== client;
        if (!left || asRoundhouseError(error).code !== 'session_moved') throw error;
      } finally {
        if (isNew) {
          this.#newcomers.leave(client);
          this.#withdrawIfNobodys(client);
        }
      }
    }
  }

  /** S3, S16: a session that is not in memory gets a place there, and is made if nobody knows it. */
  async #admit(
    tenant: string,
    name: string,
    request: SessionRequest,
    { limits = {}, workspace }: Checked,
  ): Promise<SessionClient> {
    this.#parts.telemetry.log.debug?.('session_pool_creating_new_session', { sessionId: name });
    const { kind = 'named', agent = {}, history = [] } = request;
    return this.#residents.findOrCreate(
      { tenant, name, kind, options: agent, limits, history, workspace },
      request.signal,
    );
  }

  /** Takes a process that has run enough; the conversation goes on in another one when it is needed. */
  #recycleIfSpent(client: SessionClient): boolean {
    if (!isSpent(client, this.#parts.options)) return false;
    void this.#processes.take(client, 'recycled');
    return true;
  }

  /** A new session whose callers have all been refused, or have left, leaves memory and the store. */
  #withdrawIfNobodys(client: SessionClient): boolean {
    if (!this.#newcomers.isNobodys(client)) return false;
    void this.#forget(client);
    return true;
  }

  /** Nothing has come free by it. */
  #onArrival(client: SessionClient): void {
    this.#processes.note(client, false);
    // Whoever claims a known session raises the epoch.
    if (client.row.epoch === 1) this.#newcomers.add(client);
    this.#undelivered.takeUp(client);
    this.#lookAfterGrace(client);
  }

  /** Told of every change of a session: a session at rest may be what a waiter needs, its process or its place. */
  #onChange(client: SessionClient): void {
    const leaving = !this.#residents.has(client);
    this.#processes.note(client, leaving);
    if (leaving || this.#withdrawIfNobodys(client) || client.busy) return;
    if (client.status === 'connecting' || client.status === 'closing') return;
    if (isEvictable(client) && this.#recycleIfSpent(client)) return;
    this.#processes.poke();
    this.#places.offer(client);
    if (isFresh(client)) this.#lookAfterGrace(client);
  }

  /** A session that is left alone for its first second is looked at again after it; a timer may come a little early. */
  #lookAfterGrace(client: SessionClient): void {
    after(UNUSED_GRACE_SECONDS * 1000 + 20, () => this.#onChange(client));
  }

  /** The session leaves memory, its process with it; the conversation stays in the store. */
  #forget(client: SessionClient, reason?: RoundhouseError): Promise<void> {
    const moved = new RoundhouseError(
      'session_moved',
      `Session ${client.name} left memory; ask for it again.`,
    );
    const why = reason ?? moved;
    return this.#residents.depart(client, () =>
      this.#newcomers.has(client) ? this.#newcomers.withdraw(client, why) : client.end(why),
    );
  }

  /** Undefined when it was leaving memory already. */
  async #endForGood(client: SessionClient): Promise<true | undefined> {
    let deleted: true | undefined;
    await this.#residents.depart(client, async () => {
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
    await this.#removeData(row);
    this.#broken.forget(id);
    if (row.ownsWorkspace) await this.#parts.host.removeWorkspace(row.workspace);
    return true;
  }

  /** Removes a session from the store, and from what its key has. */
  async #removeData({ id, tenant, kind }: SessionRow): Promise<void> {
    const noteDeleted = kind === 'named' ? await this.#quota.deleting(tenant) : undefined;
    await this.#parts.store.deleteSession(id);
    noteDeleted?.();
  }

  async #knownRow(tenant: string, name: string): Promise<SessionRow> {
    const row = await this.#findRow(tenant, name);
    if (row === undefined) throw notFound(name);
    return row;
  }

  async #findRow(tenant: string, name: string): Promise<SessionRow | undefined> {
    return this.#residents.get(tenant, name)?.row ?? this.#parts.store.findSession(tenant, name);
  }

  #info(row: SessionRow): SessionInfo {
    return sessionInfo(row, this.#residents.get(row.tenant, row.name));
  }
}

function notFound(name: string): RoundhouseError {
  return new RoundhouseError('session_not_found', `No session ${name} belongs to this key.`);
}

function refuseOtherWorkspace({ name, row }: SessionClient, workspace: string | undefined): void {
  if (workspace === undefined || workspace === row.workspace) return;
  const own = row.ownsWorkspace ? 'a folder of its own' : row.workspace;
  throw new RoundhouseError(
    'unsupported_field',
    `workspace: session ${name} works in ${own}, got ${workspace}; expected the same or none, for a session stays where it was made. Use another session id for another folder.`,
  );
}
