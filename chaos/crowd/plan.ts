import { randomBytes } from 'node:crypto';

import type { Ledger, SessionEntry } from '../ledger.ts';
import type { Random } from '../random.ts';

/** A key of the server; its id is the tenant that the server's log names. */
export interface CrowdKey {
  readonly id: string;
  readonly key: string;
}

/** A session, and the key that it belongs to. */
export interface CrowdSession {
  readonly entry: SessionEntry;
  readonly owner: CrowdKey;
}

export interface PlanParts {
  readonly ledger: Ledger;
  readonly random: Random;
  readonly prompts: number;
  readonly sessions: number;
}

/** Whose session is the next one: of six, three are the busy key's, two the middle one's and one the quiet one's. */
const OWNERS = ['busy', 'middle', 'busy', 'quiet', 'busy', 'middle'] as const;

/**
 * Who is prompted when: every session equally often (one more for some, where it doesn't divide), in a random order that the
 * seed alone decides. No session gets a prompt while it answers one, so that each answer has one right history.
 */
export class CrowdPlan {
  readonly keys: readonly CrowdKey[];
  readonly sessions: readonly CrowdSession[];
  /** A session for each prompt to come. */
  readonly #left: CrowdSession[];
  readonly #answering = new Set<CrowdSession>();

  constructor({ ledger, random, prompts, sessions }: PlanParts) {
    const keys = new Map(
      OWNERS.map((id) => [id, { id, key: `sk-crowd-${randomBytes(32).toString('hex')}` }]),
    );
    this.keys = [...keys.values()];
    this.sessions = Array.from({ length: sessions }, (_, index) => {
      const owner = keys.get(OWNERS[index % OWNERS.length] ?? 'busy');
      if (owner === undefined) throw new Error('Every session has an owner.');
      return { entry: ledger.openSession(`s${index}`), owner };
    });
    const due = Array.from({ length: prompts }, (_, index) => this.sessions[index % sessions]);
    this.#left = shuffled(
      due.flatMap((session) => session ?? []),
      random,
    );
  }

  /** Takes the next session to be prompted; undefined when there is none that could be prompted now. */
  take(): CrowdSession | undefined {
    const at = this.#left.findIndex((session) => !this.#answering.has(session));
    const [session] = at < 0 ? [] : this.#left.splice(at, 1);
    if (session !== undefined) this.#answering.add(session);
    return session;
  }

  /** The session has answered; whoever says so has to take the next one, for it may be the only one left. */
  release(session: CrowdSession): void {
    this.#answering.delete(session);
  }
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.int(0, left.length - 1), 1));
  return order;
}
