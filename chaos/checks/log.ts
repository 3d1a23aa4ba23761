import {
  digestOf,
  PROMPT_ID,
  type Finding,
  type PromptEntry,
  type SessionEntry,
} from '../ledger.ts';
import { endWord, textOf, type LogRecord } from '../records.ts';

/** One turn, as the log tells it. */
export interface LoggedTurn {
  readonly turnId: string;
  /** From the text of its prompt; undefined when it has none, which is a finding. */
  readonly promptId: string | undefined;
  readonly records: readonly LogRecord[];
  readonly delivered: readonly LogRecord[];
  readonly ends: readonly LogRecord[];
  /** Text of the agent, subagents left out. */
  readonly answer: string;
}

/** The turns of a log, in the order of their prompts. */
export function turnsOf(records: readonly LogRecord[]): LoggedTurn[] {
  const byTurn = Map.groupBy(records, ({ turnId }) => turnId);
  return [...byTurn].flatMap(([turnId, own]) => {
    if (turnId === null) return [];
    const prompt = own.find(({ type }) => type === 'user.message');
    const messages = own.filter(
      ({ type, detail }) => type === 'agent.message' && detail.parentToolUseId === undefined,
    );
    return [
      {
        turnId,
        promptId: prompt && PROMPT_ID.exec(textOf(prompt))?.[0],
        records: own,
        delivered: own.filter(({ detail }) => detail.delivered === true),
        ends: own.filter(({ detail }) => detail.turnEnd !== undefined),
        answer: messages.map(textOf).join(''),
      },
    ];
  });
}

/** I4, I5 and I11 within one log, after everything has come to rest. */
export function checkLog(session: string, records: readonly LogRecord[]): Finding[] {
  const findings: Finding[] = [];
  const find = (invariant: string, what: string): void => {
    findings.push({ invariant, what: `${session}: ${what}` });
  };
  for (const [index, { number }] of records.entries()) {
    if (number === index + 1) continue;
    find('I5', `number ${number} stands at place ${index + 1} of the log`);
    break;
  }
  const turns = turnsOf(records);
  for (const { turnId, promptId, ends, delivered, records: own } of turns) {
    const name = `${turnId} (${promptId ?? 'without a prompt'})`;
    if (promptId === undefined) find('I4', `${turnId} has no prompt of ours`);
    if (ends.length !== 1) find('I4', `${name} has ${ends.length} ends`);
    const end = ends[0];
    const last = own.at(-1);
    if (end !== undefined && last !== end && last?.type !== 'user.interrupt')
      find('I4', `${name} goes on with ${last?.type} after its end`);
    if (delivered.length > 1) find('I11', `${name} was delivered ${delivered.length} times`);
  }
  for (const [promptId, several] of Map.groupBy(turns, (turn) => turn.promptId)) {
    if (several.length > 1) find('I11', `${promptId} stands in the log ${several.length} times`);
  }
  return [...findings, ...checkOneAtATime(session, records)];
}

/** The turns of a session run one after the other: none is delivered before the one that runs has ended. */
function checkOneAtATime(session: string, records: readonly LogRecord[]): Finding[] {
  let running: string | null = null;
  for (const { turnId, detail, number } of records) {
    if (detail.delivered === true) {
      if (running !== null) {
        const what = `${session}: ${turnId} was delivered (number ${number}) while ${running} ran`;
        return [{ invariant: 'I3', what }];
      }
      running = turnId;
    }
    if (detail.turnEnd !== undefined && running === turnId) running = null;
  }
  return [];
}

/** Outcomes of which the client knows that the server has taken the prompt. */
function wasAcknowledged({ status }: PromptEntry): boolean {
  return status === 200;
}

/** I10: what anybody was shown or promised stands in the log. */
export function checkAcknowledged(
  session: SessionEntry,
  records: readonly LogRecord[],
  askedUpstream: ReadonlySet<string>,
): Finding[] {
  const findings: Finding[] = [];
  const find = (what: string): void => {
    findings.push({ invariant: 'I10', what: `${session.name}: ${what}` });
  };
  const kept = new Map(records.map((record) => [record.number, record]));
  for (const [number, digest] of session.seen) {
    const record = kept.get(number);
    if (record === undefined) find(`a reader saw number ${number}, which is not in the log`);
    else if (digestOf(record) !== digest)
      find(`number ${number} (${record.type}) is not what a reader saw`);
  }
  const turns = new Map(turnsOf(records).map((turn) => [turn.promptId, turn]));
  for (const prompt of session.prompts) {
    const turn = turns.get(prompt.id);
    if (turn === undefined) {
      if (wasAcknowledged(prompt)) find(`${prompt.id} was answered with 200 and is not in the log`);
      if (askedUpstream.has(prompt.id))
        find(`${prompt.id} was sent upstream and is not in the log`);
    } else if (prompt.outcome === 'complete') {
      const end = turn.ends[0];
      const word = end && endWord(end);
      if (word !== 'completed') find(`${prompt.id} ended for its client, in the log as ${word}`);
      if (turn.answer !== prompt.answer)
        find(`the log's answer to ${prompt.id} is not what its client was shown`);
    }
  }
  return findings;
}
