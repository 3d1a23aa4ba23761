import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SessionEventStream, type StreamEvent } from './event-stream.ts';
import type { LogItem, Preview, PreviewBlock } from '../../events/preview.ts';
import { NO_USAGE, type EventDetail, type SessionEvent } from '../../events/record.ts';

const AT = '2026-11-22T10:00:00.000Z';

/** A block of a model message: its pieces, and whether its record comes. */
interface Block {
  readonly type: PreviewBlock['type'];
  readonly pieces: number;
  readonly kept: boolean;
  /** Whether it ends before the message does, or is cut with it. */
  readonly stopped: boolean;
}

const block: fc.Arbitrary<Block> = fc.record({
  type: fc.constantFrom('text', 'thinking', 'tool_use'),
  pieces: fc.nat({ max: 4 }),
  kept: fc.boolean(),
  stopped: fc.boolean(),
});
/** Turns of messages of blocks. */
const turns = fc.array(fc.array(fc.array(block, { maxLength: 4 }), { maxLength: 3 }), {
  maxLength: 4,
});

const previewBlock = (type: Block['type']): PreviewBlock =>
  type === 'tool_use' ? { type, toolUseId: 'tu', name: 'Bash' } : { type };

function keptBody(type: Block['type'], id: string): SessionEvent {
  if (type === 'thinking') return { type: 'agent.thinking', id, processed_at: AT };
  if (type === 'text') return { type: 'agent.message', id, processed_at: AT, content: [] };
  return { type: 'agent.tool_use', id, processed_at: AT, name: 'Bash', input: {} };
}

function pieceOf(type: Block['type'], messageId: string, index: number): Preview {
  if (type === 'text') return { kind: 'text_delta', messageId, index, text: 'x' };
  if (type === 'thinking') return { kind: 'thinking_delta', messageId, index, text: 'x' };
  return { kind: 'tool_input_delta', messageId, index, json: '{' };
}

/** A log as drivers and sessions make it: records numbered, each block's previews ahead of its record. */
function logOf(all: readonly (readonly (readonly Block[])[])[]): LogItem[] {
  const items: LogItem[] = [];
  let number = 0;
  let ids = 0;
  const record = (turnId: string, body: SessionEvent, detail: EventDetail = {}): void => {
    number += 1;
    const { type } = body;
    items.push({ record: { number, sessionId: 's', turnId, at: AT, type, body, detail } });
  };
  for (const [turn, messages] of all.entries()) {
    const turnId = `turn_${turn}`;
    const show = (preview: Preview): void => void items.push({ preview, turnId });
    const id = (): string => `sevt_${(ids += 1)}`;
    record(turnId, { type: 'session.status_running', id: id(), processed_at: AT });
    for (const [place, blocks] of messages.entries()) {
      const messageId = `msg_${turn}_${place}`;
      const span = id();
      record(turnId, { type: 'span.model_request_start', id: span, processed_at: AT });
      show({ kind: 'message_start', messageId, model: 'm', inputTokens: 1 });
      for (const [index, { type, pieces, kept, stopped }] of blocks.entries()) {
        const eventId = id();
        show({ kind: 'block_start', messageId, index, block: previewBlock(type), eventId });
        for (let piece = 0; piece < pieces; piece += 1) show(pieceOf(type, messageId, index));
        if (stopped) show({ kind: 'block_stop', messageId, index });
        if (kept) record(turnId, keptBody(type, eventId), { modelMessageId: messageId });
      }
      record(turnId, {
        type: 'span.model_request_end',
        id: id(),
        processed_at: AT,
        is_error: false,
        model_request_start_id: span,
        model_usage: {
          input_tokens: 0,
          output_tokens: 0,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 0,
        },
      });
    }
  }
  return items;
}

/** The same with some items again, as a reader has them that comes back to where it was. */
function withRepeats(items: readonly LogItem[], places: readonly number[]): LogItem[] {
  return items.flatMap((item, index) => {
    const again = places.includes(index) ? items.slice(Math.max(0, index - 5), index + 1) : [];
    return [item, ...again.filter(({ record }) => record !== undefined)];
  });
}

function breaksRules(events: readonly StreamEvent[]): string[] {
  const open = new Set<string>();
  const seen = new Set<string>();
  const broken: string[] = [];
  for (const event of events) {
    if (event.type === 'event_start') {
      const { id } = event.event;
      if (open.has(id) || seen.has(id)) broken.push(`${id} begins again`);
      open.add(id);
    } else if (event.type === 'event_delta') {
      if (!open.has(event.event_id)) broken.push(`a piece of ${event.event_id} outside of it`);
    } else if (event.type !== 'roundhouse.gap') {
      if (seen.has(event.id)) broken.push(`${event.id} twice`);
      seen.add(event.id);
      open.delete(event.id);
      if (event.type === 'span.model_request_end') open.clear();
    }
  }
  return [...broken, ...[...open].map((id) => `${id} is never closed`)];
}

test('whatever a log holds: previews keep their order, are closed, and no event comes twice', () => {
  const deltas = fc.subarray(['agent.message', 'agent.thinking'] as const);
  const repeats = fc.array(fc.nat({ max: 60 }), { maxLength: 5 });
  fc.assert(
    fc.property(turns, deltas, repeats, (all, wanted, places) => {
      const log = logOf(all);
      const stream = new SessionEventStream(new Set(wanted));
      const events = withRepeats(log, places).flatMap(
        (item) => stream.project(item, new Map()) ?? [],
      );
      expect(breaksRules(events)).toEqual([]);
      const kept = events.flatMap((event) => ('id' in event ? [event.id] : []));
      expect(kept).toEqual(log.flatMap(({ record }) => record?.body.id ?? []));
      const starts = events.flatMap((event) =>
        event.type === 'event_start' ? [event.event.type] : [],
      );
      expect(starts.filter((type) => !wanted.includes(type))).toEqual([]);
      const texts = all.flat(2).filter(({ type }) => type === 'text');
      const pieces = texts.reduce((sum, each) => sum + each.pieces, 0);
      expect(events.filter(({ type }) => type === 'event_delta')).toHaveLength(
        wanted.includes('agent.message') ? pieces : 0,
      );
    }),
    { numRuns: 300 },
  );
});

test('a gap is told, and what is before its end is not shown again', () => {
  const stream = new SessionEventStream(new Set());
  const [first] = logOf([[]]);
  expect(stream.project({ gap: { from: 1, to: 3 } }, new Map())).toEqual({
    type: 'roundhouse.gap',
    from: 1,
    to: 3,
  });
  expect(first && stream.project(first, new Map())).toBeUndefined();
});

test.each(['its event', 'the end of its model request', 'the end of its turn'])(
  'a piece that is late is not shown behind %s',
  (what) => {
    const stream = new SessionEventStream(new Set(['agent.message']));
    const log = logOf([
      [[{ type: 'text', pieces: 0, kept: what === 'its event', stopped: false }]],
    ]);
    const until = what === 'the end of its model request' ? log : log.slice(0, -1);
    const seen = until.flatMap((item) => stream.project(item, new Map()) ?? []);
    expect(seen.filter(({ type }) => type === 'event_start')).toHaveLength(1);
    if (what === 'the end of its turn') stream.project(ended(100), new Map());
    const late = { preview: pieceOf('text', 'msg_0_0', 0), turnId: 'turn_0' };
    expect(stream.project(late, new Map())).toBeUndefined();
  },
);

function ended(number: number): LogItem {
  const body: SessionEvent = {
    type: 'session.status_idle',
    id: 'sevt_end',
    processed_at: AT,
    stop_details: null,
    stop_reason: { type: 'end_turn' },
  };
  const turnEnd = {
    reason: 'completed',
    usage: NO_USAGE,
    modelRequests: 1,
    stopReason: null,
  } as const;
  const { type } = body;
  const detail = { turnEnd };
  return { record: { number, sessionId: 's', turnId: 'turn_0', at: AT, type, body, detail } };
}
