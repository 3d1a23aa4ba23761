import { z } from 'zod';

import { withinDeadline } from '../src/time/deadline.ts';
import { after, sleep } from '../src/time/timers.ts';
import { checkAnswer, checkStreamEnd } from './checks/live.ts';
import { EventStream, type StreamClose } from './event-stream.ts';
import type { Ledger, PromptEntry, PromptOutcome, SessionEntry } from './ledger.ts';
import type { World } from './world.ts';

/** Longer than every limit of a turn, of the queue before it and of a slot together. */
const ANSWER_LIMIT_MS = 240_000;
/** Pause of a slow client behind each event, and behind how many: it must be done within the limit, however long the answer. */
const SLOW_MS = 40;
const SLOW_EVENTS = 500;

/** How a client behaves. */
export interface Pace {
  /** Goes away that long after the head of the answer; undefined: stays to the end. */
  readonly leaveAfterMs?: number | undefined;
  readonly slow?: boolean;
}

export interface PromptParts {
  readonly world: World;
  readonly ledger: Ledger;
  readonly session: SessionEntry;
  readonly entry: PromptEntry;
  readonly pace?: Pace;
  /** Of the server that asks for one. */
  readonly key?: string;
  /** Called with each piece of the answer's text. */
  readonly onText?: () => void;
  /** Limits of the turn other than the server's, in ms. */
  readonly limits?: Readonly<Record<string, number>>;
}

/** A prompt whose client waits for its answer. */
export interface RunningPrompt {
  readonly session: SessionEntry;
  /** Settles when the client has its end. Never rejects. */
  readonly ended: Promise<void>;
  /** Makes the client go away without a word. */
  readonly leave: () => void;
}

const deltaSchema = z.object({
  delta: z.object({ type: z.literal('text_delta'), text: z.string() }),
});

/** Sends a prompt, streaming, and follows its answer at a pace; the entry says what it came to. */
export function sendPrompt(parts: PromptParts): RunningPrompt {
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  return { session: parts.session, ended: withinLimit(parts, leaving), leave };
}

async function withinLimit(parts: PromptParts, leaving: AbortController): Promise<void> {
  const work = follow(parts, leaving);
  const { timedOut } = await withinDeadline(work, ANSWER_LIMIT_MS);
  if (!timedOut) return;
  const what = `${parts.entry.text} had no end after ${ANSWER_LIMIT_MS} ms`;
  parts.ledger.violation({ invariant: 'I7', what });
  leaving.abort();
  await work;
}

async function follow(parts: PromptParts, leaving: AbortController): Promise<void> {
  const { world, ledger, entry, pace = {} } = parts;
  const { starts } = world;
  const stream = await open(parts, leaving.signal);
  if (stream === undefined) return;
  const timer =
    pace.leaveAfterMs === undefined ? undefined : after(pace.leaveAfterMs, () => leaving.abort());
  const names: string[] = [];
  for await (const { event, data } of stream.events()) {
    names.push(event);
    if (event === 'content_block_delta') {
      const parsed = deltaSchema.safeParse(JSON.parse(data));
      if (parsed.success) {
        entry.answer += parsed.data.delta.text;
        parts.onText?.();
      }
    }
    if (pace.slow === true && names.length <= SLOW_EVENTS)
      await sleep(SLOW_MS, undefined, { keepAlive: true });
  }
  timer?.cancel();
  entry.outcome = outcomeOf(names.at(-1), stream.close);
  // Where the server went down meanwhile, an end that is missing is its death's.
  const endedByServer = stream.close === 'ended' && world.up && world.starts === starts;
  ledger.violation(
    ...checkStreamEnd(entry.id, names, endedByServer),
    ...checkAnswer(entry.id, entry.answer),
  );
}

/** The answer's stream; undefined when there is none, and then the entry has its outcome. */
async function open(
  { world, session, entry, key, limits = {} }: PromptParts,
  signal: AbortSignal,
): Promise<EventStream | undefined> {
  const body = {
    model: 'sonnet',
    max_tokens: 1024,
    stream: true,
    messages: [{ role: 'user', content: entry.text }],
  };
  const request: RequestInit = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-session-id': session.name,
      ...(key !== undefined && { 'x-api-key': key }),
      'x-turn-limits': JSON.stringify(limits),
    },
    body: JSON.stringify(body),
  };
  try {
    const stream = await EventStream.open(`${world.url}/v1/messages`, request, signal);
    entry.status = stream.response.status;
    if (stream.response.ok) return stream;
    await stream.response.text();
    entry.outcome = entry.status === 503 ? 'refused' : 'error';
  } catch {
    // No head, or half an error: whether the server took the prompt is not known.
    entry.outcome = signal.aborted ? 'left' : 'unknown';
  }
  return undefined;
}

function outcomeOf(lastEvent: string | undefined, close: StreamClose | undefined): PromptOutcome {
  if (lastEvent === 'message_stop') return 'complete';
  if (lastEvent === 'error') return 'error';
  return close === 'left' ? 'left' : 'broken';
}
