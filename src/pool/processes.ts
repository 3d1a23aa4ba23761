import { DeathWatch } from './death-watch.ts';
import { estimateEviction } from './eviction-cost.ts';
import { chooseVictim } from './eviction.ts';
import { ProcessStarter, type ProcessStarterParts } from './process-starter.ts';
import { Slots } from './slots.ts';
import { Spares, type Spare, type SpareSettings, type SpareWish } from './spares.ts';
import type { Tenants } from './tenants.ts';
import type { RoundhouseError } from '../errors.ts';
import type { Connector } from '../session/connector.ts';
import type { SessionClient } from '../session/session-client.ts';

/** What a prepared process holds, measured, with a reserve: 110 to 145 MB of its own. */
const BYTES_PER_SPARE = 150 * 1024 * 1024;

/** Why a process is taken from a session at rest. */
export type TakeReason =
  | 'evicted'
  | 'idle'
  | 'expired'
  | 'options_changed'
  /** It held too much memory, or had run too many turns. */
  | 'recycled'
  /** The machine is short of memory. */
  | 'memory_pressure';

export interface ProcessesParts extends Omit<
  ProcessStarterParts,
  'slots' | 'starts' | 'deaths' | 'attempts' | 'isWelcome'
> {
  readonly options: {
    readonly maxProcesses: number;
    readonly maxStarts: number;
    readonly startAttempts: number;
    readonly maxWaiters: number;
    readonly waitMs: number;
    readonly maxDeaths: number;
    readonly deathsPeriodMs: number;
    readonly spares: SpareSettings & { readonly reserveBytes: number };
  };
  readonly tenants: Tenants;
}

/** The agent processes that the pool may have: who gets one, who is prepared for, and whose is taken. */
export class Processes {
  readonly slots: Slots;
  readonly spares: Spares;
  /** Where sessions get theirs from. */
  readonly connector: Connector;
  readonly deaths: DeathWatch;
  readonly #parts: ProcessesParts;
  readonly #starts: Slots;
  readonly #starter: ProcessStarter;
  readonly #holders = new Set<SessionClient>();

  constructor(parts: ProcessesParts) {
    this.#parts = parts;
    const { options, telemetry, driver } = parts;
    const { maxWaiters, waitMs } = options;
    this.slots = new Slots({
      what: 'agent processes',
      capacity: options.maxProcesses,
      maxWaiters,
      waitMs,
      reclaim: () => this.#reclaim(),
      weightOf: (tenant) => parts.tenants.weightOf(tenant),
      maxWaitersOf: (tenant) => parts.tenants.maxWaitersOf(tenant),
      onWaited: (seconds) => telemetry.metrics.observe('roundhouse_wait_seconds', seconds),
    });
    // Whoever starts a process has a slot, so no more can wait here than there are slots.
    this.#starts = new Slots({
      what: 'process starts',
      capacity: options.maxStarts,
      maxWaiters: Infinity,
      waitMs: Infinity,
    });
    this.deaths = new DeathWatch({ ...options, telemetry });
    const starter = new ProcessStarter({
      ...parts,
      slots: this.slots,
      starts: this.#starts,
      deaths: this.deaths,
      attempts: options.startAttempts,
      // Whoever waits for its slot now needs that more.
      isWelcome: (wish) => this.slots.waiting === 0 && this.spares.wants(wish),
    });
    this.#starter = starter;
    this.connector = starter;
    this.spares = new Spares({
      settings: options.spares,
      prepare: (agent, folder) => starter.prepare(agent, folder),
      bind: (spare, workspace) => starter.bind(spare, workspace),
      discard: (spare) => this.discardSpare(spare),
      generation: () => driver.generation(),
      onReady: () => this.slots.poke(),
      hasMemory: () => this.#hasMemoryForSpare(),
      telemetry,
    });
  }

  /** Processes that have started and are not gone, as the pool counts them. */
  get owned(): number {
    return this.#starter.owned;
  }

  /** Sessions that have a process, without those that are leaving memory: never more than there are slots. */
  get holders(): ReadonlySet<SessionClient> {
    return this.#holders;
  }

  /** Told of every change of a session that is in memory or is leaving it, so that nobody has to look at all of them. */
  note(client: SessionClient, leaving: boolean): void {
    if (client.clientId !== null && !leaving) this.#holders.add(client);
    else this.#holders.delete(client);
  }

  /** What each holder's process holds, in bytes, by session id; without those that can't be measured. */
  async memory(): Promise<ReadonlyMap<string, number>> {
    const memory = new Map<string, number>();
    for (const client of this.#holders) {
      const bytes = await client.memoryBytes();
      if (bytes !== undefined) memory.set(client.id, bytes);
    }
    return memory;
  }

  takeSpare(wish: SpareWish, workspace?: string): Promise<Spare | undefined> {
    return this.spares.take(wish, workspace);
  }

  /** Keeps the process of a session that came to nothing for the next one of its options, or ends it with its workspace. */
  async reuse(wish: SpareWish, spare: Spare): Promise<void> {
    if (!this.spares.offer(wish, spare)) await this.discardSpare(spare);
  }

  async discardSpare({ connection, workspace }: Spare): Promise<void> {
    await connection.process.close();
    if (workspace !== undefined) await this.#parts.host.removeWorkspace(workspace);
  }

  /** Takes the process of a session at rest; the conversation stays. Resolves when it is gone. */
  async take(client: SessionClient, reason: TakeReason): Promise<void> {
    const { log, metrics } = this.#parts.telemetry;
    const { contextTokens, cacheWarm, bytes } = estimateEviction(client);
    metrics.count('roundhouse_evictions_total', { reason });
    const cache = cacheWarm ? 'warm' : 'cold';
    metrics.count('roundhouse_eviction_context_tokens_total', { cache }, contextTokens);
    log.info('session_process_taken', {
      sessionId: client.name,
      clientId: client.clientId,
      reason,
      idleSeconds: client.idleSeconds,
      contextTokens,
      cacheWarm,
      bytes,
    });
    await client.disconnect(reason);
  }

  /** A session has come to rest: somebody who waits may be served, or a spare be started. */
  poke(): void {
    this.slots.poke();
    this.spares.refill();
  }

  /** Gives out no more, and ends what nobody has taken. Resolves when that is gone. */
  close(refusal: RoundhouseError): Promise<void> {
    this.deaths.close();
    const spares = this.spares.close();
    this.slots.refuse(refusal);
    this.#starts.refuse(refusal);
    return spares;
  }

  /** Ends the process that is missed least, for the machine is short of memory. Undefined when all are at work. */
  shrink(): Promise<void> | undefined {
    return this.#endOne('memory_pressure', 'memory_pressure');
  }

  /** Begins to free a slot. */
  #reclaim(): Promise<void> | undefined {
    return this.#endOne('slot_needed', 'evicted');
  }

  /** Begins to end a spare, for nobody uses it yet, else the process of the session that loses least by it. */
  #endOne(spareReason: string, reason: TakeReason): Promise<void> | undefined {
    const given = this.spares.giveUpOne(spareReason);
    if (given !== undefined) return given;
    const victim = chooseVictim(this.#holders);
    return victim && this.take(victim, reason);
  }

  async #hasMemoryForSpare(): Promise<boolean> {
    const { host, options } = this.#parts;
    return (await host.memoryAvailableBytes()) >= options.spares.reserveBytes + BYTES_PER_SPARE;
  }
}
