import { PROMPT_ID, sessionOf, type Finding } from '../ledger.ts';

const ALL_IDS = new RegExp(PROMPT_ID, 'g');
const SAID = /You said: "([^"\s]+)/;

/** I5, as one connection of a reader sees it: records follow the number it began after, without a gap or a repeat. */
export class NumberCheck {
  #last: number;
  readonly #session: string;

  constructor(session: string, after: number) {
    this.#session = session;
    this.#last = after;
  }

  /** The number to come back with. */
  get last(): number {
    return this.#last;
  }

  take(number: number): Finding[] {
    const expected = this.#last + 1;
    this.#last = number;
    if (number === expected) return [];
    const what = `a reader of ${this.#session} got number ${number} where ${expected} was due`;
    return [{ invariant: 'I5', what }];
  }
}

/** One moment of the machine: client ids that are marks of living processes, and the sessions of those on record. */
export interface ProcessSnapshot {
  readonly marks: ReadonlySet<string>;
  readonly sessionOfMark: ReadonlyMap<string, string>;
}

/** I1 and I2, at one moment. */
export function checkProcesses(
  { marks, sessionOfMark }: ProcessSnapshot,
  slots: number,
): Finding[] {
  const findings: Finding[] = [];
  if (marks.size > slots) {
    const what = `${marks.size} agents live on ${slots} slots: ${[...marks].join(', ')}`;
    findings.push({ invariant: 'I2', what });
  }
  const marksOf = Map.groupBy(marks, (mark) => sessionOfMark.get(mark));
  for (const [session, several] of marksOf) {
    if (session === undefined || several.length === 1) continue;
    const what = `the session ${session} has ${several.length} agents: ${several.join(', ')}`;
    findings.push({ invariant: 'I1', what });
  }
  return findings;
}

/** I6: an answer speaks of its own session's prompts only, and answers its own prompt. */
export function checkAnswer(promptId: string, answer: string): Finding[] {
  const session = sessionOf(promptId);
  const foreign = (answer.match(ALL_IDS) ?? []).filter((id) => sessionOf(id) !== session);
  const findings = foreign.map((id) => ({
    invariant: 'I6',
    what: `the answer to ${promptId} shows ${id} of another session`,
  }));
  const said = SAID.exec(answer)?.[1];
  if (said !== undefined && said !== promptId)
    findings.push({ invariant: 'I6', what: `the answer to ${promptId} is one to ${said}` });
  return findings;
}

/** Names of the events that end an answer on the wire. */
const TERMINAL: ReadonlySet<string> = new Set(['message_stop', 'error']);

/** I4 on the wire: a stream that the server ended has one terminal event, and it is the last. */
export function checkStreamEnd(
  promptId: string,
  events: readonly string[],
  endedByServer: boolean,
): Finding[] {
  const first = events.findIndex((event) => TERMINAL.has(event));
  if (first >= 0 && first < events.length - 1) {
    const after = events.slice(first + 1).join(', ');
    return [{ invariant: 'I4', what: `after the end of the answer to ${promptId} came ${after}` }];
  }
  if (first < 0 && endedByServer)
    return [{ invariant: 'I4', what: `the answer to ${promptId} was closed without an end` }];
  return [];
}
