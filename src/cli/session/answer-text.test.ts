import { expect, it } from 'vitest';

import { AnswerText } from './answer-text.ts';
import type { FeedEvent } from './session-feed.ts';

const AT = '2026-01-01T00:00:00.000Z';

function start(id: string): FeedEvent {
  return { type: 'event_start', event: { type: 'agent.message', id } };
}

function delta(id: string, text: string): FeedEvent {
  const content = { type: 'text', text } as const;
  return { type: 'event_delta', event_id: id, delta: { type: 'content_delta', content, index: 0 } };
}

function message(id: string, text: string): FeedEvent {
  return { type: 'agent.message', id, processed_at: AT, content: [{ type: 'text', text }] };
}

const REQUEST_END: FeedEvent = {
  type: 'span.model_request_end',
  id: 'end',
  processed_at: AT,
  is_error: true,
  model_request_start_id: 'start',
  model_usage: {
    input_tokens: 1,
    output_tokens: 1,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  },
};

function shown(...events: readonly FeedEvent[]): string[] {
  const text = new AnswerText();
  return events.map((event) => text.next(event));
}

it('gives the pieces of a message as they come, and of the message itself only what is missing', () => {
  expect(
    shown(start('a'), delta('a', 'Hel'), delta('a', 'lo'), message('a', 'Hello, you')),
  ).toEqual(['', 'Hel', 'lo', ', you\n']);
});

it('gives a message whole that had no preview, each on lines of its own', () => {
  expect(shown(message('a', 'one'), message('b', 'two')).join('')).toBe('one\ntwo\n');
});

it('gives nothing twice when a preview begins anew on another connection', () => {
  const first = [start('a'), delta('a', 'Hello')];
  const anew = [start('a'), delta('a', 'Hello, y'), delta('a', 'ou'), message('a', 'Hello, you')];
  expect(shown(...first, ...anew).join('')).toBe('Hello, you\n');
});

it('leaves out pieces whose beginning it has not seen: the message brings them', () => {
  expect(shown(delta('a', 'you'), message('a', 'Hello, you')).join('')).toBe('Hello, you\n');
});

it('ends the line of a message that never came to be', () => {
  expect(shown(start('a'), delta('a', 'Hel'), REQUEST_END, message('b', 'x')).join('')).toBe(
    'Hel\nx\n',
  );
});
