import { BrokenSessions } from './broken-sessions.ts';
import { Deletion, type SessionDeleted } from './deletion.ts';
import { Forking, type ForkRequest } from './forking.ts';
import { isEvictable, isFresh, UNUSED_GRACE_SECONDS } from './eviction.ts';
import { isSpent, startHousekeeping } from './housekeeping.ts';
import { Newcomers } from './newcomers.ts';
import type { PoolOptions } from './options.ts';
import { Places } from './places.ts';
import type { Processes } from './processes.ts';
import { recover, runUndelivered, type RecoveryParts, type RecoveryResult } from './recovery.ts';
import { Residents, type IdentifiedSessionRequest, type NewSessionRequest } from './residents.ts';
import { SessionQuota } from './session-quota.ts';
import type { Spare } from './spares.ts';
import type { Tenants } from './tenants.ts';
import { Undelivered } from './undelivered.ts';
import type { SessionRow } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import type { TailLimits } from '../log/tail.ts';
import type { BudgetOf } from '../session/session-budget.ts';
import { SessionClient } from '../session/session-client.ts';
import type { TurnPhase } from '../session/stream-handle.ts';
import { after } from '../time/timers.ts';

export interface PopulationParts extends Omit<
  RecoveryParts,
  'broken' | 'residents' | 'sessionsAtOnce'
> {
  readonly options: PoolOptions & { readonly maxProcesses: number };
  readonly processes: Processes;
  readonly tenants: Tenants;
  readonly tailLimits?: TailLimits;
  readonly budgetOf?: BudgetOf;
  readonly deleted?: SessionDeleted;
}

/**
 * The sessions in memory: how they come in, out of the store or new, what is looked after while they are there, and how they
 * leave, for the store, for good, or at the shutdown. What a session needs of its process it has from {@link Processes}.
 */
export class Population {
  readonly #parts: PopulationParts;
  readonly #processes: Processes;
  readonly #places: Places;
  readonly #residents: Residents;
  readonly #newcomers: Newcomers;
  readonly #broken: BrokenSessions;
  readonly #deletion: Deletion;
  readonly #forking: Forking;
  readonly #stopHousekeeping: () => void;
  #undelivered = new Undelivered();
  #refusal: RoundhouseError | undefined;

  constructor(parts: PopulationParts) {
    this.#parts = parts;
    const { options, host, processes, store, telemetry, tenants } = parts;
    this.#processes = processes;
    const { maxWaiters, waitMs } = options;
    this.#places = new Places({
      capacity: options.maxSessions,
      maxWaiters,
      waitMs,
      leave: (client) => this.#forget(client),
    });
    const quota = new SessionQuota({
      store,
      maxSessionsOf: (tenant) => tenants.maxSessionsOf(tenant),
    });
    const broken = new BrokenSessions(telemetry);
    this.#broken = broken;
    const residents = new Residents({
      ...parts,
      quota,
      mend: (sessionId) => broken.mend(sessionId),
      places: this.#places,
      takeSpare: (wish, workspace) => processes.takeSpare(wish, workspace),
      discardSpare: (spare) => processes.discardSpare(spare),
      makeClient: (row, lastNumber, spare) => this.#makeClient(row, lastNumber, spare),
      arrived: (client, answered) => this.#onArrival(client, answered),
      onUnawaited: (client) => this.#withdrawIfNobodys(client),
    });
    this.#residents = residents;
    const deletion = new Deletion({ ...parts, residents, quota, broken });
    this.#deletion = deletion;
    this.#forking = new Forking({ ...parts, quota });
    this.#newcomers = new Newcomers({
      ...parts,
      removeData: (row) => deletion.removeData(row),
      reuse: (wish, spare) => processes.reuse(wish, spare),
    });
    this.#stopHousekeeping = startHousekeeping({
      clients: () => residents.clients(),
      holders: () => [...processes.holders],
      disconnect: (client, reason) => void processes.take(client, reason),
      forget: (client) => void this.#forget(client),
      memoryAvailableBytes: () => host.memoryAvailableBytes(),
      hasProcesses: () => processes.owned > 0,
      shrink: () => processes.shrink(),
      telemetry,
      ...options,
    });
  }

  get size(): number {
    return this.#residents.size;
  }

  /** Sessions in memory at most. */
  get capacity(): number {
    return this.#places.capacity;
  }

  /** The session, when it is in memory and not leaving. */
  get(tenant: string, name: string): SessionClient | undefined {
    return this.#residents.get(tenant, name);
  }

  /** A snapshot, without those that are leaving. */
  clients(): SessionClient[] {
    return this.#residents.clients();
  }

  /** Whether it has prompts of an earlier host, and has not come into memory yet. */
  hasUndelivered(sessionId: string): boolean {
    return this.#undelivered.has(sessionId);
  }

  /** The tenant's sessions that run a turn or have one waiting, by id, with the phase of the first. Looks at all of them. */
  busy(tenant: string): Map<string, TurnPhase> {
    const phases = new Map<string, TurnPhase>();
    for (const row of this.#undelivered.sessions)
      if (row.tenant === tenant) phases.set(row.id, 'queued');
    for (const client of this.clients())
      if (client.tenant === tenant && client.phase !== undefined)
        phases.set(client.id, client.phase);
    return phases;
  }

  /** The session, brought into memory if it is known; see {@link Residents.find}. */
  find(tenant: string, name: string, signal?: AbortSignal): Promise<SessionClient | undefined> {
    return this.#residents.find(tenant, name, signal);
  }

  /** The session, brought into memory or made; see {@link Residents.findOrCreate}. */
  findOrCreate(request: NewSessionRequest, signal?: AbortSignal): Promise<SessionClient> {
    return this.#residents.findOrCreate(request, signal);
  }

  /** Makes a session whose name is its id; see {@link Residents.createIdentified}. */
  createIdentified(request: IdentifiedSessionRequest): Promise<SessionRow> {
    return this.#residents.createIdentified(request);
  }

  /** Makes a session that begins as a copy of a known one; see {@link Forking.fork}. */
  fork(source: SessionRow, request: ForkRequest): Promise<SessionRow> {
    return this.#forking.fork(source, request);
  }

  /**
   * A call waits for the session. False, and nothing more is to be told, when that is not a new one. Else
   * {@link Population.callerLeaves} is due, with {@link Population.callerAnswered} before it when the call got the session.
   */
  callerEnters(client: SessionClient): boolean {
    return this.#newcomers.enter(client);
  }

  /** The call is answered with the session: from now on it is one like any other. */
  callerAnswered(client: SessionClient): void {
    this.#newcomers.accept(client);
  }

  /** The call waits no more. A session that was nobody's is withdrawn by it. */
  callerLeaves(client: SessionClient): void {
    this.#newcomers.leave(client);
    this.#withdrawIfNobodys(client);
  }

  /** Ends a known session for good; see {@link Deletion.delete}. */
  delete(row: SessionRow): Promise<boolean> {
    return this.#deletion.delete(row);
  }

  /** Puts in order what an earlier host left; see {@link recover}. Before the first session is asked for. */
  async recover(): Promise<RecoveryResult> {
    const result = await recover(this.#recoveryParts());
    this.#undelivered = new Undelivered(result.prompts, result.waiting);
    return result;
  }

  /** Whether a session that is not in memory has a turn that waits for its client. */
  waits(sessionId: string): boolean {
    return this.#undelivered.waits(sessionId);
  }

  /** Runs the prompts that an earlier host accepted and never delivered. Settles when they have ended; never rejects. */
  resumePrompts(): Promise<void> {
    return runUndelivered(this.#undelivered, this.#recoveryParts());
  }

  /** Refuses prompts, and whoever needs a place, from now on. What runs goes on, and nothing is cleaned up any more. */
  refuse(refusal: RoundhouseError): void {
    this.#refusal = refusal;
    this.#stopHousekeeping();
    for (const client of this.clients()) client.refusePrompts(refusal);
    this.#places.refuse(refusal);
  }

  /** Ends what is in memory, or still on its way there. Resolves when all have left. After {@link Population.refuse}. */
  async leave(refusal: RoundhouseError): Promise<void> {
    // One that was on its way may bring a prepared process along.
    await this.#residents.arrived();
    await this.#forking.settled();
    await Promise.all(this.clients().map((client) => this.#forget(client, refusal)));
    await this.#residents.empty();
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

  #makeClient(row: SessionRow, lastNumber: number, spare: Spare | undefined): SessionClient {
    const { options, store, telemetry, tailLimits, tenants, budgetOf } = this.#parts;
    const client = new SessionClient({
      row,
      lastNumber,
      store,
      connector: this.#processes.connector,
      telemetry,
      limits: options.limits,
      maxQueuedTurns: options.maxQueuedTurns,
      admitTurn: () => tenants.admitTurn(row.tenant),
      onChange: (changed) => this.#onChange(changed),
      recycle: (spent) => this.#recycleIfSpent(spent),
      ...(tailLimits !== undefined && { tailLimits }),
      ...(budgetOf !== undefined && { budgetOf }),
      ...(spare !== undefined && { spare: spare.connection }),
    });
    // It was on its way when the shutdown began.
    if (this.#refusal !== undefined) client.refusePrompts(this.#refusal);
    return client;
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
  #onArrival(client: SessionClient, answered: boolean): void {
    this.#processes.note(client, false);
    // Whoever claims a known session raises the epoch.
    if (client.row.epoch === 1 && !answered) this.#newcomers.add(client);
    this.#undelivered.takeUp(client);
    this.#lookAfterGrace(client);
  }

  /** Told of every change of a session: a session at rest may be what a waiter needs, its process or its place. */
  #onChange(client: SessionClient): void {
    const leaving = !this.#residents.has(client);
    this.#processes.note(client, leaving);
    if (leaving || this.#withdrawIfNobodys(client) || (client.busy && !client.awaitsClient)) return;
    if (client.status === 'connecting' || client.status === 'closing') return;
    if (isEvictable(client) && this.#recycleIfSpent(client)) return;
    this.#processes.poke();
    // A turn that waits for its client keeps the session in memory, for its limit.
    if (client.busy) return;
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
}
