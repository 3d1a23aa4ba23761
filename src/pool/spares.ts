import { Arrivals } from './arrivals.ts';
import type { AgentOptions } from '../contracts/agent-driver.ts';
import { errorText } from '../errors.ts';
import { fingerprint } from '../session/agent-options.ts';
import type { Connection } from '../session/connector.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { monotonicMs } from '../time/clock.ts';
import { every, type Timer } from '../time/timers.ts';

/** Configurations that are learned at once; the one that was asked for longest ago makes room. */
const MAX_KINDS = 32;
/** Back-off after a spare that would not start: 1 s, doubled each time, at most a minute. */
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
const LOOK_EVERY_MS = 1_000;

export interface SpareSettings {
  /** Spares at most, all configurations together; 0 switches them off. */
  readonly max: number;
  /** Without a new session of its configuration for so long, a spare is ended. */
  readonly idleMs: number;
  /** A spare that has waited so long is replaced. */
  readonly maxAgeMs: number;
}

/** What a process would be taken for. */
export interface SpareWish {
  readonly options: AgentOptions;
  readonly tenant: string;
}

/** Whose folder the session works in: one that was made for it, or one that its caller names. */
export type SpareFolder = 'own' | 'named';

/** A session that does not exist yet, with its process: ids that mean nothing until somebody takes it. */
export interface Spare {
  readonly sessionId: string;
  readonly agentSessionId: string;
  /** The folder that was made for it. Undefined while the caller has yet to name one. */
  readonly workspace: string | undefined;
  readonly connection: Connection;
  /** What the agent was when it started; another one now makes the spare stale. */
  readonly generation: string;
  readonly readyAtMs: number;
}

export interface SparesParts {
  readonly settings: SpareSettings;
  /** Starts one if that makes nobody wait; undefined when there is no slot or no room to start in. */
  readonly prepare: (options: AgentOptions, folder: SpareFolder) => Promise<Spare> | undefined;
  /** Gives one without a folder the caller's. Rejects, and the process is gone, when it does not take it. */
  readonly bind: (spare: Spare, workspace: string) => Promise<void>;
  /** Ends one that nobody took, with its folders. */
  readonly discard: (spare: Spare) => Promise<void>;
  /** One more is ready: somebody may wait for its slot. */
  readonly onReady: () => void;
  /** What the agent is now. */
  readonly generation: () => Promise<string>;
  /** Whether the machine has memory for one more. */
  readonly hasMemory: () => Promise<boolean>;
  readonly telemetry: Telemetry;
}

/** One configuration, and the spares for it. */
interface Kind {
  readonly folder: SpareFolder;
  options: AgentOptions;
  readonly arrivals: Arrivals;
  readonly ready: Spare[];
  starting: number;
  failures: number;
  retryAtMs: number;
  /** How long a start takes, smoothed: the spares must last until the next one is ready. */
  startSeconds: number;
}

/** Why a new session found no spare. */
type Miss = 'new_configuration' | 'none_ready' | 'stale' | 'refused' | 'off';

/**
 * Processes that are started ahead of their sessions, by configuration and by whose folder they work in. A new session of
 * a configuration that was seen before takes one and needs no start; a miss teaches which to keep. How many follows the
 * rate of arrivals; none is kept for a configuration that nobody asks for, and none takes a slot from anybody.
 */
export class Spares {
  readonly #parts: SparesParts;
  readonly #kinds = new Map<string, Kind>();
  /** What {@link Spares.close} waits for. */
  readonly #leaving = new Set<Promise<unknown>>();
  #generation: string | undefined;
  #looking: Timer | undefined;
  #refilling: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(parts: SparesParts) {
    this.#parts = parts;
  }

  get ready(): number {
    return this.#sum((kind) => kind.ready.length);
  }

  get starting(): number {
    return this.#sum((kind) => kind.starting);
  }

  /**
   * A spare for a new session of these options, if one is ready that the tenant may have. Either way the arrival is noted. With `workspace` it works
   * there; without, in the folder that was made for it.
   */
  async take(wish: SpareWish, workspace?: string): Promise<Spare | undefined> {
    const folder = workspace === undefined ? 'own' : 'named';
    if (this.#closed || this.#parts.settings.max === 0) return this.#miss(folder, 'off');
    const { options } = wish;
    const key = keyOf(wish, folder);
    const known = this.#kinds.get(key);
    const kind = known ?? newKind(options, folder);
    // The last one asked for stands last, so the first is the one to forget.
    this.#kinds.delete(key);
    this.#kinds.set(key, kind);
    kind.options = options;
    kind.arrivals.note();
    this.#forgetOldKinds();
    this.#startLooking();
    const before = kind.ready.length;
    const spare = this.#takeUsable(kind);
    // Not refilled here: a start beside the first turn of this session would take the time from it that the spare has won.
    // The pool calls when the session has come to rest, and the timer does within a second.
    if (spare === undefined) {
      const reason = before > 0 ? 'stale' : 'none_ready';
      return this.#miss(folder, known === undefined ? 'new_configuration' : reason);
    }
    if (workspace !== undefined && !(await this.#bind(spare, workspace)))
      return this.#miss(folder, 'refused');
    this.#count({ outcome: 'hit', reason: '', folder });
    return spare;
  }

  /** Whether one more of these options, with a folder of its own, would be kept: they are asked for, and there is room in the stock. */
  wants(wish: SpareWish): boolean {
    if (this.#closed || this.ready + this.starting >= this.#parts.settings.max) return false;
    return this.#kinds.has(keyOf(wish, 'own'));
  }

  /** Takes on one, with a folder of its own, that was not started here. False when it is not wanted, and stays the caller's. */
  offer(wish: SpareWish, spare: Spare): boolean {
    const kind = this.#kinds.get(keyOf(wish, 'own'));
    if (kind === undefined || !this.wants(wish) || !spare.connection.process.alive) return false;
    this.#keep(kind, spare);
    return true;
  }

  /** Something has changed that may allow, or need, another spare. */
  refill(): void {
    if (this.#closed || this.#kinds.size === 0) return;
    if (this.#refilling !== undefined) {
      this.#again = true;
      return;
    }
    this.#refilling = this.#refill().finally(() => {
      this.#refilling = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.refill();
    });
  }

  /** Gives one up for what needs its slot, or its memory, now: of the configuration asked for longest ago. Undefined when there is none. */
  giveUpOne(reason: string): Promise<void> | undefined {
    for (const kind of this.#kinds.values()) {
      const spare = kind.ready.shift();
      if (spare !== undefined) return this.#discard(spare, reason);
    }
    return undefined;
  }

  /** Ends all of them, those that start included. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#looking?.cancel();
    await this.#refilling;
    for (const kind of this.#kinds.values()) {
      for (const spare of kind.ready.splice(0)) void this.#discard(spare, 'closed');
    }
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  #sum(of: (kind: Kind) => number): number {
    let sum = 0;
    for (const kind of this.#kinds.values()) sum += of(kind);
    return sum;
  }

  #miss(folder: SpareFolder, reason: Miss): undefined {
    this.#count({ outcome: 'miss', reason, folder });
  }

  #count(labels: { outcome: 'hit' | 'miss'; reason: Miss | ''; folder: SpareFolder }): void {
    this.#parts.telemetry.metrics.count('roundhouse_spares_total', labels);
  }

  /** Whether the spare has its folder now; one that did not take it is gone. */
  #bind(spare: Spare, workspace: string): Promise<boolean> {
    const done = this.#parts
      .bind(spare, workspace)
      .then(
        () => true,
        async (error: unknown) => {
          const { log } = this.#parts.telemetry;
          log.warn('spare_refused', { id: spare.sessionId, workspace, error: errorText(error) });
          await this.#discard(spare, 'refused');
          return false;
        },
      )
      .finally(() => this.#leaving.delete(done));
    this.#leaving.add(done);
    return done;
  }

  #takeUsable(kind: Kind): Spare | undefined {
    for (let spare = kind.ready.shift(); spare !== undefined; spare = kind.ready.shift()) {
      if (spare.connection.process.alive && !this.#isStale(spare)) return spare;
      void this.#discard(spare, 'stale');
    }
    return undefined;
  }

  #isStale(spare: Spare): boolean {
    const old = monotonicMs() - spare.readyAtMs > this.#parts.settings.maxAgeMs;
    return old || (this.#generation !== undefined && spare.generation !== this.#generation);
  }

  /** How many this configuration deserves now: enough for what comes while one starts, one at least while anybody comes. */
  #wanted(kind: Kind): number {
    if (kind.arrivals.sinceLastMs > this.#parts.settings.idleMs) return 0;
    return Math.max(1, Math.ceil(kind.arrivals.ratePerSecond * kind.startSeconds));
  }

  async #refill(): Promise<void> {
    try {
      this.#generation = await this.#parts.generation();
    } catch (error) {
      this.#parts.telemetry.log.warn('spares_agent_unreadable', { error: errorText(error) });
      return;
    }
    this.#drain();
    // The configuration that was asked for last comes first.
    for (const kind of [...this.#kinds.values()].toReversed()) {
      while (!this.#closed && this.#mayStart(kind)) {
        if (!(await this.#parts.hasMemory())) return;
        const start = this.#parts.prepare(kind.options, kind.folder);
        if (start === undefined) return;
        this.#follow(kind, start);
      }
    }
  }

  #mayStart(kind: Kind): boolean {
    if (monotonicMs() < kind.retryAtMs) return false;
    if (this.ready + this.starting >= this.#parts.settings.max) return false;
    return kind.ready.length + kind.starting < this.#wanted(kind);
  }

  #follow(kind: Kind, start: Promise<Spare>): void {
    const sinceMs = monotonicMs();
    kind.starting += 1;
    const done = start
      .then(
        (spare) => this.#started(kind, spare, (monotonicMs() - sinceMs) / 1000),
        (error: unknown) => this.#failed(kind, error),
      )
      .finally(() => {
        kind.starting -= 1;
        this.#leaving.delete(done);
        this.refill();
      });
    this.#leaving.add(done);
  }

  async #started(kind: Kind, spare: Spare, seconds: number): Promise<void> {
    kind.failures = 0;
    kind.startSeconds = kind.startSeconds * 0.7 + seconds * 0.3;
    if (this.#closed || !this.#isKept(kind)) return this.#discard(spare, 'closed');
    this.#parts.telemetry.log.debug?.('spare_ready', {
      id: spare.sessionId,
      folder: kind.folder,
      seconds,
    });
    this.#keep(kind, spare);
    return undefined;
  }

  #keep(kind: Kind, spare: Spare): void {
    kind.ready.push(spare);
    void spare.connection.process.exited.then(() => {
      const place = kind.ready.indexOf(spare);
      if (place < 0) return;
      kind.ready.splice(place, 1);
      void this.#discard(spare, 'died');
    });
    this.#parts.onReady();
  }

  #failed(kind: Kind, error: unknown): void {
    kind.failures += 1;
    kind.retryAtMs =
      monotonicMs() + Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (kind.failures - 1));
    this.#parts.telemetry.log.warn('spare_start_failed', {
      failures: kind.failures,
      error: errorText(error),
    });
  }

  #isKept(kind: Kind): boolean {
    for (const known of this.#kinds.values()) if (known === kind) return true;
    return false;
  }

  /** Ends what is stale, or more than is wanted. A configuration that nobody asks for any more is forgotten. */
  #drain(): void {
    for (const [key, kind] of this.#kinds) {
      const wanted = this.#wanted(kind);
      kind.ready.splice(0).forEach((spare) => {
        if (this.#isStale(spare)) void this.#discard(spare, 'stale');
        else if (kind.ready.length >= wanted) void this.#discard(spare, 'idle');
        else kind.ready.push(spare);
      });
      if (wanted === 0 && kind.starting === 0) this.#kinds.delete(key);
    }
    if (this.#kinds.size === 0) this.#stopLooking();
  }

  #forgetOldKinds(): void {
    for (const [key, kind] of this.#kinds) {
      if (this.#kinds.size <= MAX_KINDS) return;
      this.#kinds.delete(key);
      for (const spare of kind.ready.splice(0)) void this.#discard(spare, 'idle');
    }
  }

  #discard(spare: Spare, reason: string): Promise<void> {
    const { telemetry, discard } = this.#parts;
    telemetry.metrics.count('roundhouse_spares_wasted_total', { reason, folder: folderOf(spare) });
    telemetry.log.debug?.('spare_discarded', { id: spare.sessionId, reason });
    const done = discard(spare)
      .catch((error: unknown) =>
        telemetry.log.warn('spare_not_discarded', { reason, error: errorText(error) }),
      )
      .finally(() => this.#leaving.delete(done));
    this.#leaving.add(done);
    return done;
  }

  /** The timer runs only while there is something to look after: an unused pool costs nothing. */
  #startLooking(): void {
    this.#looking ??= every(LOOK_EVERY_MS, () => this.refill());
  }

  #stopLooking(): void {
    this.#looking?.cancel();
    this.#looking = undefined;
  }
}

function keyOf({ options, tenant }: SpareWish, folder: SpareFolder): string {
  return `${folder}:${fingerprint(options, tenant)}`;
}

function folderOf({ workspace }: Spare): SpareFolder {
  return workspace === undefined ? 'named' : 'own';
}

function newKind(options: AgentOptions, folder: SpareFolder): Kind {
  return {
    folder,
    options,
    arrivals: new Arrivals(),
    ready: [],
    starting: 0,
    failures: 0,
    retryAtMs: 0,
    startSeconds: 1,
  };
}
