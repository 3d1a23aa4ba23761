import { PROMPT_ID, sessionOf, type Finding, type UpstreamRequest } from '../ledger.ts';
import { endWord, type LogRecord } from '../records.ts';
import { checkAnswer } from './live.ts';
import { turnsOf, type LoggedTurn } from './log.ts';

/** What the simulator says of the conversation, at the end of its answer: nothing else tells that the answer is whole. */
const SHOWN =
  /I was shown (?:no earlier messages|\d+ earlier messages?)(?:; your earlier prompts? (?:was|were): (?:(\d+) older ones?, then )?(".*"))?\.$/s;
/** What the simulator says in the place of prompts that the agent has summed up. */
const SUMMARY = 'a summary of what was said before';
/** A request that was under way when its turn ended may be counted a little later. */
const REQUEST_SLACK_MS = 2_000;

/** What an answer says that it was shown. */
interface ShownHistory {
  /** Earlier prompts that it counts and does not name. */
  readonly unnamed: number;
  /** Ids of the earlier prompts that it names, oldest first: the last ten. */
  readonly named: readonly string[];
}

/** The earlier prompts that an answer of the simulator names; undefined when it tells nothing of them, or is not whole. */
export function shownHistory(answer: string): ShownHistory | undefined {
  const shown = SHOWN.exec(answer);
  if (shown === null || answer.includes(SUMMARY)) return undefined;
  const [, unnamed = '0', list = ''] = shown;
  const named = list.split('", "').flatMap((each) => PROMPT_ID.exec(each)?.[0] ?? []);
  return { unnamed: Number(unnamed), named };
}

/**
 * I11 (and I6 for turns that nobody read): what each answer says it was shown is the session's own delivered prompts, in
 * order, none twice; those of completed turns are all there. A turn that was killed may be missing: its transcript may
 * never have had it.
 */
export function checkHistory(records: readonly LogRecord[]): Finding[] {
  const findings: Finding[] = [];
  const before: LoggedTurn[] = [];
  const turns = turnsOf(records).filter(({ delivered }) => delivered.length > 0);
  turns.sort((a, b) => (a.delivered[0]?.number ?? 0) - (b.delivered[0]?.number ?? 0));
  for (const turn of turns) {
    const { promptId, answer } = turn;
    if (promptId !== undefined) {
      findings.push(...checkAnswer(promptId, answer));
      const shown = shownHistory(answer);
      if (shown !== undefined) findings.push(...checkShown(promptId, shown, before));
    }
    before.push(turn);
  }
  return findings;
}

function checkShown(
  promptId: string,
  { unnamed, named }: ShownHistory,
  before: readonly LoggedTurn[],
): Finding[] {
  const what = wrongIn(unnamed, named, before, promptId);
  return what === undefined
    ? []
    : [{ invariant: 'I11', what: `the answer to ${promptId} ${what}` }];
}

function wrongIn(
  unnamed: number,
  named: readonly string[],
  before: readonly LoggedTurn[],
  promptId: string,
): string | undefined {
  if (named.includes(promptId)) return 'was given its own prompt twice';
  if (new Set(named).size < named.length) return `was shown a prompt twice: ${named.join(', ')}`;
  if (unnamed + named.length > before.length)
    return `counts ${unnamed + named.length} earlier prompts, ${before.length} were delivered`;
  let at = 0;
  const places = named.map((id) => {
    const place = before.findIndex((turn, index) => index >= at && turn.promptId === id);
    if (place >= 0) at = place + 1;
    return place;
  });
  const wrong = named.find((_, index) => places[index] === -1);
  if (wrong !== undefined) return `names ${wrong} out of order, or it was never delivered before`;
  const from = unnamed > 0 ? (places[0] ?? before.length) : 0;
  const missing = before
    .slice(from)
    .find((turn) => isCompleted(turn) && !named.includes(turn.promptId ?? ''));
  if (missing !== undefined) return `was not shown ${missing.promptId}, whose turn completed`;
  const completedBefore = before.slice(0, from).filter(isCompleted).length;
  if (unnamed < completedBefore)
    return `counts ${unnamed} older prompts, ${completedBefore} of them completed`;
  return undefined;
}

function isCompleted({ ends }: LoggedTurn): boolean {
  const [end] = ends;
  return end !== undefined && endWord(end) === 'completed';
}

/** Delivered prompts whose turn did not complete and that no later answer was shown: kept in the log, lost to the model. */
export function countForgotten(records: readonly LogRecord[]): number {
  const turns = turnsOf(records).filter(({ delivered }) => delivered.length > 0);
  const last = turns.at(-1);
  const shown = last && shownHistory(last.answer);
  if (shown === undefined) return 0;
  return Math.max(0, turns.length - 1 - shown.unnamed - shown.named.length);
}

/**
 * I6 and I11 at the upstream: the requests of one conversation of the agent speak for one session, and none asks again
 * for a prompt whose turn has ended (the CLI's own retries come before).
 */
export function checkUpstream(
  requests: readonly UpstreamRequest[],
  endedAt: ReadonlyMap<string, number>,
): Finding[] {
  const findings: Finding[] = [];
  const sessionsOf = new Map<string, string>();
  const reported = new Set<string>();
  for (const { promptId, agentId, at } of requests) {
    const session = sessionOf(promptId);
    const known = sessionsOf.get(agentId) ?? session;
    sessionsOf.set(agentId, known);
    if (known !== session && !reported.has(agentId)) {
      reported.add(agentId);
      const what = `the agent's conversation ${agentId} asked for ${known} and ${session}`;
      findings.push({ invariant: 'I6', what });
    }
    const end = endedAt.get(promptId);
    if (end === undefined || at <= end + REQUEST_SLACK_MS || reported.has(promptId)) continue;
    reported.add(promptId);
    const what = `${promptId} was sent upstream ${at - end} ms after the end of its turn`;
    findings.push({ invariant: 'I11', what });
  }
  return findings;
}
