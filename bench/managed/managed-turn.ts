import type { SessionStreams } from './session-stream.ts';
import { ANSWER, PROMPT, type Timing } from '../latency/prompts.ts';
import { monotonicMs } from '../../src/time/clock.ts';

const TEXT = 'event: event_delta\n';

/**
 * Prompts a session whose stream is open. The clock starts before the events are sent, and stops when the session is idle;
 * what the stream costs to be opened lies before.
 */
export async function managedTurn(streams: SessionStreams, sessionId: string): Promise<Timing> {
  let text = '';
  let firstTextAtMs: number | undefined;
  const stream = await streams.open(sessionId, (chunk) => {
    text += chunk.toString('utf8');
    if (firstTextAtMs === undefined && text.includes(TEXT)) firstTextAtMs = monotonicMs();
  });
  try {
    const startedAtMs = monotonicMs();
    const [idleAtMs] = await Promise.all([stream.idleAtMs, streams.send(sessionId, PROMPT)]);
    if (firstTextAtMs === undefined || answerIn(text) !== ANSWER) {
      throw new Error(`Another answer than expected: ${text}`);
    }
    return { firstTextMs: firstTextAtMs - startedAtMs, totalMs: idleAtMs - startedAtMs };
  } finally {
    stream.close();
  }
}

function answerIn(stream: string): string {
  return [...stream.matchAll(/"type":"content_delta".*?"text":"([^"]*)"/g)]
    .map((match) => match[1])
    .join('');
}
