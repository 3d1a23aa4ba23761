import { sleep } from '../src/time/timers.ts';
import type { Ledger, SessionEntry } from './ledger.ts';
import { PROMPT_KINDS } from './prompt-kinds.ts';
import { sendPrompt, type Pace, type RunningPrompt } from './prompt.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** Longest pause of a user between an answer and the next prompt. */
const MAX_PAUSE_MS = 3_000;
/** Pause after a refusal or a failure: a client that hammers would only measure itself. */
const BACK_OFF_MS = 500;
const LEAVE_CHANCE = 0.1;
const SLOW_CHANCE = 0.04;
/** How often a user sends a second prompt before the first is answered, so that it queues. */
const TWICE_CHANCE = 0.08;

export interface LoadParts {
  readonly world: World;
  readonly ledger: Ledger;
  readonly random: Random;
  /** How many users there are; each talks to one session at a time. */
  readonly sessions: number;
  readonly signal: AbortSignal;
}

/** Users that prompt sessions, each at its own pace; and the sessions they talk to. */
export class Load {
  readonly running = new Set<RunningPrompt>();
  readonly #parts: LoadParts;
  readonly #current: SessionEntry[];
  readonly #generations: number[];
  readonly #used = new Set<string>();
  readonly #burst: Random;

  constructor(parts: LoadParts) {
    this.#parts = parts;
    const users = Array.from({ length: parts.sessions }, (_, user) => user);
    this.#current = users.map((user) => parts.ledger.openSession(`s${user}`));
    this.#generations = users.map(() => 0);
    this.#burst = parts.random.fork('burst');
  }

  /** Sessions that are to live. */
  get sessions(): readonly SessionEntry[] {
    return this.#current;
  }

  /** Runs every user until the signal aborts; settles when all of them have their last answer. */
  async run(): Promise<void> {
    await Promise.all(this.#current.map((_, user) => this.#runUser(user)));
  }

  /** The user goes on with a new session. Returns the old one, of which nothing is expected any more. */
  retire(user: number): SessionEntry | undefined {
    const old = this.#current[user];
    if (old === undefined) return undefined;
    old.retired = true;
    const generation = (this.#generations[user] ?? 0) + 1;
    this.#generations[user] = generation;
    this.#current[user] = this.#parts.ledger.openSession(`s${user}.${generation}`);
    return old;
  }

  /** One plain prompt to each of some sessions at once. Settles when all are answered. */
  async burst(count: number): Promise<void> {
    const sessions = Array.from({ length: count }, () => this.#burst.pick(this.#current));
    await Promise.all(
      sessions.map(async (session) => session !== undefined && this.#send(session, '', {})),
    );
  }

  async #runUser(user: number): Promise<void> {
    const { world, signal, random } = this.#parts;
    const own = random.fork(`user ${user}`);
    while (!signal.aborted && !world.failed) {
      const pauseMs = own.int(0, MAX_PAUSE_MS);
      await sleep(pauseMs, signal, { keepAlive: true }).catch(() => {});
      await world.untilUp();
      const session = this.#current[user];
      if (signal.aborted || session === undefined) return;
      const first = this.#prompt(own, session);
      const second = own.chance(TWICE_CHANCE) ? this.#prompt(own, session) : undefined;
      const fine = await first;
      await second;
      if (!fine) await sleep(BACK_OFF_MS, undefined, { keepAlive: true });
    }
  }

  /** One prompt of a kind and at a pace that the user's own sequence decides. True when it was answered to the end. */
  #prompt(own: Random, session: SessionEntry): Promise<boolean> {
    const drawn = own.weighted(PROMPT_KINDS);
    const leaves = own.chance(LEAVE_CHANCE);
    const leaveAfterMs = own.int(0, 2_500);
    const slow = own.chance(SLOW_CHANCE);
    const useKey = `${session.name} ${drawn.directives}`;
    const used = drawn.once === true && this.#used.has(useKey);
    this.#used.add(useKey);
    const pace = { leaveAfterMs: leaves ? leaveAfterMs : undefined, slow };
    return this.#send(session, used ? '' : drawn.directives, pace, drawn.fault);
  }

  async #send(
    session: SessionEntry,
    directives: string,
    pace: Pace,
    fault?: string,
  ): Promise<boolean> {
    const { world, ledger } = this.#parts;
    const entry = ledger.openPrompt(session, directives);
    const prompt = sendPrompt({ world, ledger, session, entry, pace });
    this.running.add(prompt);
    await prompt.ended;
    this.running.delete(prompt);
    // Counted when it has happened: a prompt that was refused makes no trouble upstream.
    if (fault !== undefined && ledger.askedUpstream.has(entry.id)) ledger.countFault(fault);
    if (entry.outcome === 'left') ledger.countFault('client: leaves its answer');
    if (pace.slow === true && entry.status === 200) ledger.countFault('client: reads slowly');
    return entry.outcome === 'complete';
  }
}
