import { createHash } from 'node:crypto';

import { monotonicMs, wallClockIso, wallClockMs } from '../src/time/clock.ts';

/** What a moment was may be written down a little later. */
const CLOCK_SLACK_MS = 2_000;

/** What a client made of a prompt: `unknown` when its connection broke before there was a status. */
export type PromptOutcome =
  | 'pending'
  | 'complete'
  | 'error'
  | 'refused'
  | 'left'
  | 'broken'
  | 'unknown';

/** One prompt, and all that its client was told. */
export interface PromptEntry {
  /** Unique in the run; stands at the beginning of the text: `s3-n7`. */
  readonly id: string;
  readonly text: string;
  status: number | undefined;
  /** Text of the answer so far. */
  answer: string;
  outcome: PromptOutcome;
}

/** One session, and all that anybody was told about it. */
export interface SessionEntry {
  /** Used by this session only: after a deletion the next one has another name. */
  readonly name: string;
  readonly prompts: PromptEntry[];
  /** Digest of each record that a reader was given, by number. */
  readonly seen: Map<number, string>;
  /** Set before it is deleted: from then on nothing is expected of it but that it goes. */
  retired: boolean;
}

/** A request that reached the upstream. */
export interface UpstreamRequest {
  readonly promptId: string;
  /** The agent's own id of the conversation. */
  readonly agentId: string;
  /** By the wall clock, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/** Something that must never be, before it is known when it was seen. */
export interface Finding {
  /** `I1` to `I11` of docs/reliability.md, or `alive` for a server that is not usable any more. */
  readonly invariant: string;
  readonly what: string;
}

export interface Violation extends Finding {
  /** Since the beginning of the run. */
  readonly atSeconds: number;
}

/** The first id in a text; every prompt of the load begins with one. */
export const PROMPT_ID = /s\d+(?:\.\d+)?-n\d+/;

/** Name of the session that a prompt belongs to. */
export function sessionOf(promptId: string): string {
  return promptId.slice(0, promptId.lastIndexOf('-'));
}

/** The same for the same record, whatever way it came. */
export function digestOf(record: unknown): string {
  return createHash('sha256').update(JSON.stringify(record)).digest('base64').slice(0, 16);
}

/** All that was done and seen in a run: what the invariants are checked against. */
export class Ledger {
  readonly sessions = new Map<string, SessionEntry>();
  readonly requests: UpstreamRequest[] = [];
  /** Ids of the prompts among them. */
  readonly askedUpstream = new Set<string>();
  readonly violations: Violation[] = [];
  readonly faults = new Map<string, number>();
  /** A line for each, for whoever reads the server's log beside it. The time is that of its end. */
  readonly faultTimes: string[] = [];
  /** Faults that can't be made here, with the reason. */
  readonly skipped = new Map<string, string>();
  /** What happened and is no violation, but worth a line: `readers cut`, for example. */
  readonly notes = new Map<string, number>();
  /** How far the server's wall clock was off, and between which moments of ours. */
  readonly #clocks: { readonly sinceMs: number; readonly offsetMs: number; untilMs: number }[] = [
    { sinceMs: 0, offsetMs: 0, untilMs: Infinity },
  ];
  readonly #onViolation: (violation: Violation) => void;
  readonly #beganMs = monotonicMs();

  constructor(onViolation: (violation: Violation) => void) {
    this.#onViolation = onViolation;
  }

  get elapsedSeconds(): number {
    return (monotonicMs() - this.#beganMs) / 1000;
  }

  get faultCount(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0);
  }

  get prompts(): PromptEntry[] {
    return [...this.sessions.values()].flatMap(({ prompts }) => prompts);
  }

  openSession(name: string): SessionEntry {
    const entry: SessionEntry = { name, prompts: [], seen: new Map(), retired: false };
    this.sessions.set(name, entry);
    return entry;
  }

  /** Opens the entry of a prompt to be sent. */
  openPrompt(session: SessionEntry, directives: string): PromptEntry {
    const id = `${session.name}-n${session.prompts.length + 1}`;
    const text = directives === '' ? id : `${id} ${directives}`;
    const entry: PromptEntry = { id, text, status: undefined, answer: '', outcome: 'pending' };
    session.prompts.push(entry);
    return entry;
  }

  countRequest(request: UpstreamRequest): void {
    this.requests.push(request);
    this.askedUpstream.add(request.promptId);
  }

  countFault(kind: string): void {
    this.faultTimes.push(`${wallClockIso()} ${kind}`);
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  note(what: string): void {
    this.notes.set(what, (this.notes.get(what) ?? 0) + 1);
  }

  /** The same of a figure of which the highest counts. */
  noteLongest(what: string, ms: number): void {
    this.notes.set(what, Math.max(this.notes.get(what) ?? 0, Math.round(ms)));
  }

  /** The server is told that its wall clock is off by so much. To be called when it is so: until then the old one counts too. */
  noteClock(offsetMs: number): () => void {
    const old = this.#clocks.at(-1);
    if (old === undefined || old.offsetMs === offsetMs) return () => {};
    this.#clocks.push({ sinceMs: wallClockMs(), offsetMs, untilMs: Infinity });
    return () => {
      old.untilMs = wallClockMs();
    };
  }

  /**
   * The moment of ours, in ms since the Unix epoch, in which the server's wall clock showed this. Where several fit, for a
   * clock that is put back shows a time twice, the last one: then what came later is not blamed.
   */
  momentOf(serverMs: number): number {
    const moments = this.#clocks.flatMap(({ sinceMs, offsetMs, untilMs }) => {
      const moment = serverMs - offsetMs;
      return moment >= sinceMs && moment <= untilMs + CLOCK_SLACK_MS ? [moment] : [];
    });
    return Math.max(...moments);
  }

  violation(...findings: readonly Finding[]): void {
    for (const finding of findings) {
      const violation = { ...finding, atSeconds: this.elapsedSeconds };
      this.violations.push(violation);
      this.#onViolation(violation);
    }
  }
}
