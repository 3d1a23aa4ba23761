import { vi } from 'vitest';
import { CrashableStore } from './crashable-store.ts';
import { pass, settle, startFakeClock } from './fake-clock.ts';
import { FakeHost } from './fake-host.ts';
import { makePool, text, type PoolFixture } from './pool-fixture.ts';
import { storyOf } from './session-story.ts';
import { echoScript, type Script, type ScriptStep } from '../../src/agent/scripted/script.ts';
import { asRoundhouseError, type ErrorCode } from '../../src/errors.ts';
import type { LogItem } from '../../src/events/preview.ts';
import { turnEndOf } from '../../src/events/record.ts';
import type { SpareSettings } from '../../src/pool/spares.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';

export interface WorldSettings {
  readonly maxProcesses: number;
  readonly maxSessions: number;
  readonly maxTurnsPerProcess?: number;
  readonly maxDeaths?: number;
  readonly deathsPeriodMs?: number;
  readonly spares?: SpareSettings & { readonly reserveBytes: number };
}

/** What a prompt makes the agent do, after it has said which conversation it is in. */
export const KINDS = ['echo', 'slow', 'tool', 'hang', 'deaf', 'stuck', 'die', 'stale'] as const;
export type Kind = (typeof KINDS)[number];

/** What callers may be told when nothing is wrong with the pool. Anything else is a problem. */
const FAIR_REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'pool_at_capacity',
  'queue_full',
  'draining',
  'session_ended',
  'storage_failed',
]);

interface Acknowledged {
  readonly sessionId: string;
  readonly turnId: string;
  readonly text: string;
}

/**
 * A pool with its store over several lives of the host, everything that callers were promised, and every breach of it that
 * was seen. Commands act on it and never wait for what they have begun.
 */
export class World {
  readonly problems: string[] = [];
  readonly #settings: WorldSettings;
  readonly #store = new MemorySessionStore();
  readonly #host = new FakeHost();
  readonly #acknowledged: Acknowledged[] = [];
  readonly #runs = new Map<string, number>();
  readonly #killedAt = new Set<string>();
  readonly #pending = new Set<string>();
  readonly #readers: AbortController[] = [];
  #life = 0;
  #prompts = 0;
  #calls = 0;
  #port: CrashableStore;
  #fixture: PoolFixture;

  constructor(settings: WorldSettings) {
    this.#settings = settings;
    this.#port = new CrashableStore(this.#store);
    this.#fixture = this.#start();
  }

  /** `cancelAfterMs`: the caller gives up that long after the call; what runs by then goes on. */
  prompt(session: string, kind: Kind, cancelAfterMs?: number): void {
    this.#prompts += 1;
    const prompt = `${session}/${this.#prompts}/${kind}`;
    const abort = new AbortController();
    const { signal } = abort;
    if (cancelAfterMs !== undefined)
      setTimeout(() => abort.abort(new Error('cancelled')), cancelAfterMs);
    this.#do(`prompt ${prompt}`, async () => {
      try {
        const client = await this.#fixture.pool.getSessionClient(session, { signal });
        const handle = await client.prompt(text(prompt), { signal });
        const { turnId } = handle;
        this.#acknowledged.push({ sessionId: client.id, turnId, text: prompt });
        await this.#readTurn(handle.read(), turnId, prompt);
      } catch (error) {
        // Whoever gave up is told its own reason; everybody else what the pool says.
        if (error !== signal.reason) throw error;
      }
    });
  }

  get(session: string, callers: number, leaveAfterMs: number | undefined): void {
    for (let caller = 0; caller < callers; caller += 1) {
      const abort = new AbortController();
      // Every second one leaves.
      if (leaveAfterMs !== undefined && caller % 2 === 0)
        setTimeout(() => abort.abort(new Error('left')), leaveAfterMs);
      this.#do(`get ${session}`, async () => {
        const client = await this.#fixture.pool
          .getSessionClient(session, { signal: abort.signal })
          .catch((error: unknown) => {
            if (!abort.signal.aborted) throw error;
          });
        if (client !== undefined && client.name !== session)
          this.problems.push(`asked for ${session}, got ${client.name}`);
      });
    }
  }

  change(session: string, tools: number): void {
    this.#do(`change ${session}`, async () => {
      const agent = { tools: Array.from({ length: tools }, (_, index) => `tool-${index}`) };
      await this.#fixture.pool.getSessionClient(session, { agent });
    });
  }

  interrupt(session: string): void {
    this.#do(`interrupt ${session}`, async () => {
      await this.#fixture.pool.interruptSession('default', session).catch(unlessUnknown);
    });
  }

  delete(session: string): void {
    this.#do(`delete ${session}`, async () => {
      await this.#fixture.pool.deleteSession('default', session);
    });
  }

  kill(place: number): void {
    const { alive } = this.#fixture.driver;
    const process = alive[place % Math.max(1, alive.length)];
    if (process === undefined) return;
    this.#killedAt.add(process.spec.sessionId);
    process.die();
  }

  failStore(times: number): void {
    this.#port.failAppends(times);
  }

  join(session: string, after: number): void {
    const leave = new AbortController();
    this.#readers.push(leave);
    this.#do(
      `read ${session}`,
      async () => {
        const items = await this.#fixture.pool
          .followEvents('default', session, { after, signal: leave.signal })
          .catch((error: unknown) => (leave.signal.aborted ? undefined : unlessUnknown(error)));
        if (items === undefined) return;
        let expected = after + 1;
        for await (const { record } of items) {
          if (record === undefined) continue;
          if (record.number !== expected)
            this.problems.push(`a reader of ${session} got ${record.number}, not ${expected}`);
          expected = record.number + 1;
        }
      },
      // A reader stays until it leaves, or until its session does.
      { waited: false },
    );
  }

  leave(): void {
    this.#readers.shift()?.abort();
  }

  async advance(ms: number): Promise<void> {
    await pass(ms);
    this.#look();
  }

  /** The machine is short of memory for a moment: what does nothing loses its process, one a second. */
  async evict(ms: number): Promise<void> {
    const { freeBytes } = this.#host;
    this.#host.freeBytes = 0;
    await pass(ms);
    this.#host.freeBytes = freeBytes;
    this.#look();
  }

  /** Every attachment is past its time to live, and the housekeeping has seen it. */
  async expire(): Promise<void> {
    await this.advance(TTL_MS + CLEANUP_MS);
  }

  /** Somebody sets the wall clock; no timer and no duration knows. */
  jumpClock(ms: number): void {
    vi.setSystemTime(Date.now() + ms);
  }

  /**
   * The host dies: nothing of it runs any more, and what the store has taken is all there is. The next one's first appends
   * may fail.
   */
  async crash(failingAppends = 0): Promise<void> {
    this.#port.crash();
    // The next host has clocks of its own; those of this one may have been set.
    vi.useRealTimers();
    startFakeClock();
    await this.#nextLife(failingAppends);
  }

  async drain(ms: number): Promise<void> {
    const { pool, driver } = this.#fixture;
    let drained = false;
    void pool.drain(ms).then(() => (drained = true));
    // The drain's own patience, an interrupt that nobody hears, a start that is being ended.
    await pass(ms + LIMITS.interruptMs + EXIT_MS * 4);
    if (!drained) this.problems.push(`a drain of ${ms} ms did not end`);
    if (driver.processes.some(({ gone }) => !gone))
      this.problems.push('a process outlived the drain');
    if (pool.stats().processSlots.used > 0) this.problems.push('a slot outlived the drain');
    this.#port.crash();
    await this.#nextLife();
  }

  /** Lets everything come to its end, also what only a restart ends, and looks at what is left in the store. */
  async finish(): Promise<void> {
    await pass(LONGEST_MS);
    for (const call of this.#pending) this.problems.push(`forgotten: ${call}`);
    await this.crash();
    await pass(LONGEST_MS);
    for (const { prompt } of await this.#store.unfinishedTurns())
      this.problems.push(`no end: turn ${prompt.turnId}`);
    await this.#readStories();
    await this.drain(0);
    for (const [prompt, runs] of this.#runs) {
      if (runs > 1) this.problems.push(`delivered ${runs} times: ${prompt}`);
    }
  }

  #start(): PoolFixture {
    return makePool({
      store: this.#port,
      host: this.#host,
      pool: {
        ...this.#settings,
        maxStarts: 2,
        waitMs: 5_000,
        maxQueuedTurns: 3,
        sessionTtlMs: TTL_MS,
        idleThresholdMs: 30_000,
        cleanupIntervalMs: CLEANUP_MS,
      },
      limits: LIMITS,
      driver: {
        startMs: 200,
        exitMs: EXIT_MS,
        onStart: ({ sessionId }) => this.#lookAtStart(sessionId),
        script: this.#script,
      },
    });
  }

  async #nextLife(failingAppends = 0): Promise<void> {
    this.#life += 1;
    // Who waited for the last host waits no more.
    this.#pending.clear();
    this.#readers.length = 0;
    this.#port = new CrashableStore(this.#store);
    this.#port.failAppends(failingAppends);
    this.#fixture = this.#start();
    await this.#fixture.pool.recover();
    this.#fixture.pool.resumePrompts();
  }

  readonly #script: Script = (context) => {
    this.#runs.set(context.text, (this.#runs.get(context.text) ?? 0) + 1);
    const kind = context.text.split('/')[2] ?? 'echo';
    const said = echoScript(context).steps;
    const then: readonly ScriptStep[] = STEPS_OF[kind] ?? [];
    return {
      steps: [...said, ...then],
      accepts: kind !== 'stuck',
      interruptible: kind !== 'deaf',
    };
  };

  /** I1 and I2, at the moment that counts. */
  #lookAtStart(sessionId: string): void {
    const { processes } = this.#fixture.driver;
    const present = processes.filter(({ gone }) => !gone);
    if (present.some(({ spec }) => spec.sessionId === sessionId))
      this.problems.push(`a second process of ${sessionId}`);
    if (present.length >= this.#settings.maxProcesses)
      this.problems.push(`${present.length + 1} processes`);
  }

  #look(): void {
    const { residentSessions, processSlots } = this.#fixture.pool.stats();
    if (residentSessions > this.#settings.maxSessions)
      this.problems.push(`${residentSessions} resident sessions`);
    const present = this.#fixture.driver.processes.filter(({ gone }) => !gone).length;
    if (present > processSlots.used)
      this.problems.push(`${present} processes in ${processSlots.used} slots`);
  }

  #do(what: string, work: () => Promise<void>, options = { waited: true }): void {
    this.#calls += 1;
    const life = this.#life;
    const call = `${what} (call ${this.#calls})`;
    if (options.waited) this.#pending.add(call);
    work()
      .catch((error: unknown) => {
        const { code, message } = asRoundhouseError(error);
        const fair = FAIR_REFUSALS.has(code) || (!options.waited && code === 'session_moved');
        if (life === this.#life && !fair) this.problems.push(`${call}: ${code}: ${message}`);
      })
      .finally(() => this.#pending.delete(call));
  }

  async #readTurn(items: AsyncIterable<LogItem>, turnId: string, prompt: string): Promise<void> {
    const numbers: number[] = [];
    let ends = 0;
    for await (const item of items) {
      if (item.gap !== undefined) {
        this.problems.push(`a reader of ${prompt} got a gap`);
        continue;
      }
      const of = item.record === undefined ? item.turnId : item.record.turnId;
      if (of !== turnId) this.problems.push(`a reader of ${prompt} got an item of another turn`);
      if (item.record === undefined) continue;
      numbers.push(item.record.number);
      if (turnEndOf(item.record) !== undefined) ends += 1;
    }
    if (ends !== 1) this.problems.push(`a reader of ${prompt} saw ${ends} ends`);
    if (numbers.some((number, index) => number <= (numbers[index - 1] ?? 0)))
      this.problems.push(`a reader of ${prompt} got ${numbers.join(', ')}`);
  }

  async #readStories(): Promise<void> {
    const { sessions } = await this.#store.listSessions({ limit: 1_000 });
    for (const { id, name } of sessions) {
      const records = await this.#store.readEvents(id, 0, 10_000);
      const promised = this.#acknowledged.filter(({ sessionId }) => sessionId === id);
      const killed = this.#killedAt.has(id);
      this.problems.push(...storyOf(name, records, promised, killed));
    }
    await settle();
  }
}

const EXIT_MS = 100;
const TTL_MS = 40_000;
const CLEANUP_MS = 20_000;

const LIMITS = {
  queuedMs: 30_000,
  startMs: 5_000,
  firstMessageMs: 2_000,
  firstTokenMs: 10_000,
  silenceMs: 10_000,
  toolMs: 20_000,
  turnMs: 60_000,
  interruptMs: 1_000,
} as const;

/** By then every queue has moved on, every limit has passed and every session has left memory. */
const LONGEST_MS = 150_000;

const STEPS_OF: Readonly<Record<string, readonly ScriptStep[]>> = {
  slow: [{ waitMs: 3_000 }, { text: ['done'] }],
  tool: [{ tool: 'Bash', output: 'ok', runMs: 8_000 }, { text: ['done'] }],
  hang: [{ hang: true }],
  deaf: [{ hang: true }],
  die: [{ die: 'SIGKILL' }],
  stale: [{ stale: true }, { text: ['done'] }],
};

function unlessUnknown(error: unknown): undefined {
  if (asRoundhouseError(error).code !== 'session_not_found') throw error;
  return undefined;
}
