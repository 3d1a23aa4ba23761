import { defaultAnswer } from '../../src/simulator/words.ts';
import { turnsOf } from '../checks/log.ts';
import type { Finding, SessionEntry, UpstreamRequest } from '../ledger.ts';
import { endWord, type LogRecord } from '../records.ts';

/**
 * I7 and I11: every prompt was answered to its end, and every answer is, to the letter, the one to this prompt after this
 * session's earlier ones: each of them once, in order, and nothing else in the conversation.
 */
export function checkAnswers({ prompts }: SessionEntry): Finding[] {
  const findings: Finding[] = [];
  for (const [index, { id, status, outcome, answer }] of prompts.entries()) {
    if (outcome !== 'complete') {
      const what = `${id} was not answered: ${outcome}, HTTP status ${status ?? 'none'}`;
      // What comes after it has no history that could be told beforehand.
      return [...findings, { invariant: 'I7', what }];
    }
    const expected = exactAnswer(prompts.slice(0, index + 1).map((prompt) => prompt.id));
    if (answer !== expected) {
      const what = `the answer to ${id} is ${JSON.stringify(answer)}, expected ${JSON.stringify(expected)}`;
      findings.push({ invariant: 'I11', what });
    }
  }
  return findings;
}

/** What the simulator says to the last of these prompts, after a conversation of the others and their answers. */
export function exactAnswer(ids: readonly string[]): string {
  const earlierPrompts = ids.slice(0, -1);
  const prompt = ids.at(-1) ?? '';
  const conversation = {
    prompt,
    earlierPrompts,
    earlierMessageCount: 2 * earlierPrompts.length,
    imageCount: 0,
    documentCount: 0,
    continuations: 0,
    toolResults: [],
  };
  return defaultAnswer(conversation, prompt);
}

/** I11: the log of a session has the turns that were asked for, in their order, once each, and every one completed. */
export function checkTurns(session: SessionEntry, records: readonly LogRecord[]): Finding[] {
  const sent = session.prompts.map(({ id }) => id).join(', ');
  const turns = turnsOf(records).map(({ promptId, ends }) => {
    const words = ends.map((end) => (endWord(end) === 'completed' ? '' : ` (${endWord(end)})`));
    return `${promptId ?? 'a turn without a prompt'}${words.join('')}`;
  });
  const logged = turns.join(', ');
  if (logged === sent) return [];
  const what = `the log of ${session.name} has the turns ${logged || 'none'}, expected ${sent}`;
  return [{ invariant: 'I11', what }];
}

/** I11 at the upstream: each prompt was asked for once. */
export function checkAskedOnce(
  sessions: readonly SessionEntry[],
  requests: readonly UpstreamRequest[],
): Finding[] {
  const asked = Map.groupBy(requests, ({ promptId }) => promptId);
  const prompts = sessions.flatMap((session) => session.prompts);
  return prompts.flatMap(({ id }) => {
    const times = asked.get(id)?.length ?? 0;
    if (times === 1) return [];
    return [{ invariant: 'I11', what: `${id} was sent upstream ${times} times, expected once` }];
  });
}
