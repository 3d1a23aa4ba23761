import { turnEndOf, type EventRecord } from '../../src/events/record.ts';

interface Promised {
  readonly turnId: string;
  readonly text: string;
}

interface TurnStory {
  readonly number: number;
  readonly text: string;
  delivered: boolean;
  ends: number;
}

/** Everything that is wrong with the records of one session, in words. */
export function storyOf(
  session: string,
  records: readonly EventRecord[],
  promised: readonly Promised[],
  killed: boolean,
): string[] {
  const problems: string[] = [];
  const turns = new Map<string, TurnStory>();
  /** Prompts that are in the conversation for certain, and those that may be. */
  const answered = new Set<string>();
  const delivered = new Set<string>();
  let lastDelivered = 0;
  for (const [index, record] of records.entries()) {
    if (record.number !== index + 1) problems.push(`${session}: ${record.number} at ${index + 1}`);
    const { body, detail, turnId } = record;
    if (turnId === null) continue;
    if (body.type === 'user.message') {
      const [block] = body.content;
      const text = block?.type === 'text' ? block.text : '';
      if (turns.has(turnId)) problems.push(`${session}: two prompts in one turn: ${text}`);
      turns.set(turnId, { number: record.number, text, delivered: false, ends: 0 });
      continue;
    }
    const turn = turns.get(turnId);
    if (turn === undefined) {
      problems.push(`${session}: a record of an unknown turn`);
      continue;
    }
    if (turn.ends > 0 && body.type !== 'user.interrupt')
      problems.push(`${session}: ${body.type} after the end of ${turn.text}`);
    if (detail.delivered === true) {
      if (turn.delivered) problems.push(`${session}: ${turn.text} was delivered twice`);
      if (turn.number < lastDelivered)
        problems.push(`${session}: ${turn.text} was delivered after a later prompt`);
      turn.delivered = true;
      lastDelivered = turn.number;
      delivered.add(turn.text);
    }
    if (body.type === 'agent.message') {
      const [block] = body.content;
      const said = block?.type === 'text' ? block.text : '';
      if (said !== 'done') problems.push(...mixing(turn.text, said, answered, delivered));
      answered.add(turn.text);
    }
    const end = turnEndOf(record);
    if (end === undefined) continue;
    turn.ends += 1;
    const code = end.error?.code;
    if (code === 'agent_died' && !killed && !turn.text.endsWith('die'))
      problems.push(`${session}: the process of ${turn.text} was taken`);
    if (code === 'internal') problems.push(`${session}: ${turn.text}: ${end.error?.message}`);
  }
  for (const { text, ends } of turns.values()) {
    if (ends !== 1) problems.push(`${session}: ${text} has ${ends} ends`);
  }
  for (const { turnId, text } of promised) {
    if (!turns.has(turnId)) problems.push(`${session}: ${text} was acknowledged and is lost`);
  }
  return problems;
}

/** `You said: X. Before: A | B.` must tell this prompt, and the earlier ones of this session, and nothing else. */
function mixing(
  prompt: string,
  said: string,
  answered: ReadonlySet<string>,
  delivered: ReadonlySet<string>,
): string[] {
  const match = /^You said: (.*)\. Before: (.*)\.$/.exec(said);
  const before = match?.[2] === 'nothing' ? [] : (match?.[2]?.split(' | ') ?? []);
  const problems: string[] = [];
  if (match?.[1] !== prompt) problems.push(`${prompt} was answered: ${said}`);
  for (const earlier of before) {
    if (earlier === prompt || !delivered.has(earlier))
      problems.push(`${prompt} was shown ${earlier}, which is not before it`);
  }
  if (new Set(before).size !== before.length) problems.push(`${prompt} was shown one twice`);
  for (const earlier of answered) {
    if (!before.includes(earlier)) problems.push(`${prompt} was not shown ${earlier}`);
  }
  return problems;
}
