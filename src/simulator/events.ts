import type { AnswerPlan, PlannedBlock } from './answer.ts';
import { errorBody } from './errors.ts';
import type { AnswerIds } from './ids.ts';
import { messageObject, startUsage, usageObject } from './message-object.ts';
import { wordPieces } from './words.ts';

/** One thing to do on the wire; a stream is a list of them. */
export type WireStep =
  /** Send one SSE event. `paced`: a piece of content, so the answer's delay comes before it. */
  | { do: 'send'; frame: string; paced: boolean }
  /** Send nothing more, and leave the connection open until the client goes. */
  | { do: 'hang' }
  /** Send a ping at this interval until the client goes. */
  | { do: 'ping-forever'; everyMs: number }
  /** Destroy the connection without ending the answer. */
  | { do: 'cut' };

/** Characters of tool input in one `input_json_delta`. */
const INPUT_PIECE_CHARS = 16;

/** A frame that a client must reject: its data stops in the middle of the JSON. */
const BROKEN_FRAME =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_del\n\n';

/**
 * The events of a streamed answer in the order of the API, up to the point where its fault strikes. Lazy, so that a long
 * answer is never held whole. Faults that come before the first byte (`error`, `stall headers`) are not known here.
 */
export function* wireSteps(plan: AnswerPlan, ids: AnswerIds, model: string): Generator<WireStep> {
  const { fault } = plan;
  if (fault?.name === 'stall' && fault.at === 'start') return yield { do: 'hang' };
  const empty = messageObject(plan, ids, model, []);
  yield send('message_start', {
    message: { ...empty, stop_reason: null, stop_details: null, usage: startUsage(plan.usage) },
  });
  yield send('ping', {});
  if (fault?.name === 'stall' && fault.at === 'first-token') return yield { do: 'hang' };
  if (fault?.name === 'pings') return yield { do: 'ping-forever', everyMs: fault.everyMs };

  const failing = failingBlock(plan);
  for (const [index, block] of plan.blocks.entries()) {
    yield send('content_block_start', { index, content_block: emptyBlock(block, ids, index) });
    const deltas = deltasOf(block, ids);
    const end = block === failing ? Math.ceil(deltas.length / 2) : deltas.length;
    for (let at = 0; at < end; at += 1) {
      yield send('content_block_delta', { index, delta: deltas[at] }, true);
    }
    if (block === failing) return yield* failure(plan, ids);
    yield send('content_block_stop', { index });
  }
  const { stop_reason, stop_details, stop_sequence } = empty;
  yield send('message_delta', {
    delta: { stop_reason, stop_details, stop_sequence },
    usage: usageObject(plan.usage),
  });
  return yield send('message_stop', {});
}

/** One `ping` event. */
export const PING_FRAME = frameOf('ping', { type: 'ping' });

/** The block in the middle of which the fault strikes: the tool's for `tool-input`, else the first text. */
function failingBlock({ blocks, fault }: AnswerPlan): PlannedBlock | undefined {
  if (fault === undefined || fault.name === 'error') return undefined;
  const inTool = fault.name === 'stall' && fault.at === 'tool-input';
  return blocks.find(({ type }) => type === (inTool ? 'tool_use' : 'text')) ?? blocks.at(-1);
}

function* failure({ fault }: AnswerPlan, ids: AnswerIds): Generator<WireStep, void> {
  if (fault?.name === 'cut') yield { do: 'cut' };
  else if (fault?.name === 'broken') yield { do: 'send', frame: BROKEN_FRAME, paced: false };
  else if (fault?.name === 'overloaded') {
    const body = errorBody(529, 'Overloaded', ids.request);
    yield { do: 'send', frame: frameOf('error', body), paced: false };
  } else yield { do: 'hang' };
}

function emptyBlock(block: PlannedBlock, ids: AnswerIds, index: number): object {
  switch (block.type) {
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'text':
      return { type: 'text', text: '', citations: null };
    case 'tool_use':
      return { type: 'tool_use', id: ids.tool(index), name: block.name, input: {} };
    default:
      return block satisfies never;
  }
}

function deltasOf(block: PlannedBlock, ids: AnswerIds): object[] {
  switch (block.type) {
    case 'thinking':
      return [
        ...wordPieces(block.text).map((thinking) => ({ type: 'thinking_delta', thinking })),
        { type: 'signature_delta', signature: ids.signature },
      ];
    case 'text':
      return wordPieces(block.text).map((text) => ({ type: 'text_delta', text }));
    case 'tool_use':
      return ['', ...inputPieces(JSON.stringify(block.input))].map((partial_json) => ({
        type: 'input_json_delta',
        partial_json,
      }));
    default:
      return block satisfies never;
  }
}

/** By code points, so that no piece ends inside a surrogate pair. */
function inputPieces(json: string): string[] {
  return json.match(new RegExp(`[\\s\\S]{1,${INPUT_PIECE_CHARS}}`, 'gu')) ?? [];
}

function send(type: string, data: object, paced = false): WireStep {
  return { do: 'send', frame: frameOf(type, { type, ...data }), paced };
}

function frameOf(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
