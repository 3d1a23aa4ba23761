import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LogItem } from '../../events/preview.ts';
import { TurnItems } from '../testing/log-items.ts';
import { MessageAccumulator } from './accumulate.ts';
import { MessageRenderer } from './render.ts';
import { AGENT_EVENT_MODES } from './wire.ts';
import type { AgentEventMode, MessageEvent } from './wire.ts';

interface BlockPlan {
  readonly kind: 'text' | 'thinking' | 'tool';
  readonly chunks: readonly string[];
  /** Chunks that are streamed before the record; the record brings the rest. */
  readonly streamed: number;
  /** Whether the record comes before the block's end has been previewed. */
  readonly recordFirst: boolean;
}

interface MessagePlan {
  readonly previews: boolean;
  readonly blocks: readonly BlockPlan[];
  /** An attempt that is given up after that many chunks. */
  readonly givenUpAfter: number | undefined;
}

const blockPlan = fc.record({
  kind: fc.constantFrom('text', 'text', 'thinking', 'tool'),
  chunks: fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 }),
  streamed: fc.nat(4),
  recordFirst: fc.boolean(),
}) satisfies fc.Arbitrary<BlockPlan>;

const messagePlan = fc.record({
  previews: fc.boolean(),
  blocks: fc.array(blockPlan, { maxLength: 4 }),
  givenUpAfter: fc.option(fc.nat(8), { nil: undefined }),
}) satisfies fc.Arbitrary<MessagePlan>;

const ends = ['completed', 'max_tokens', 'interrupted', 'failed'] as const;

function* itemsOf(
  plans: readonly MessagePlan[],
  end: (typeof ends)[number],
): Generator<LogItem, void, undefined> {
  const t = new TurnItems();
  yield t.user('go');
  for (const [number, plan] of plans.entries()) {
    const id = `m${number}`;
    const retried = plan.givenUpAfter !== undefined;
    if (retried) yield* givenUpAttempt(t, `${id}_first`, plan);
    if (plan.previews || retried) yield t.messageStart(id);
    for (const [index, block] of plan.blocks.entries()) {
      if (plan.previews && block.kind !== 'tool') {
        yield* streamed(t, id, index, block, block.streamed);
        if (!block.recordFirst) yield t.blockStop(id, index);
      }
      yield recordOf(t, id, index, block);
      if (plan.previews && block.recordFirst) yield t.blockStop(id, index);
    }
  }
  yield t.end({ reason: end });
}

function* givenUpAttempt(
  t: TurnItems,
  id: string,
  plan: MessagePlan,
): Generator<LogItem, void, undefined> {
  yield t.messageStart(id);
  let left = plan.givenUpAfter ?? 0;
  for (const [index, block] of plan.blocks.entries()) {
    if (left <= 0 || block.kind === 'tool') return;
    const streamedChunks = Math.min(left, block.chunks.length);
    yield* streamed(t, id, index, block, streamedChunks);
    left -= streamedChunks;
  }
}

function* streamed(
  t: TurnItems,
  id: string,
  index: number,
  block: BlockPlan,
  count: number,
): Generator<LogItem, void, undefined> {
  if (block.kind === 'tool') return;
  yield t.blockStart(id, index, block.kind);
  const kind = block.kind === 'text' ? 'text_delta' : 'thinking_delta';
  for (const chunk of block.chunks.slice(0, count)) yield t.delta(id, index, chunk, kind);
}

function recordOf(t: TurnItems, id: string, index: number, block: BlockPlan): LogItem {
  const text = block.chunks.join('');
  if (block.kind === 'text') return t.text(id, index, text);
  if (block.kind === 'thinking') return t.thinking(id, index, text);
  return t.toolUse(`tool_${id}_${index}`, 'Bash', { text });
}

/** What is wrong with the events as a stream of Anthropic's API; empty when it could have sent them. */
function problemsOf(events: readonly MessageEvent[]): string[] {
  const problems: string[] = [];
  const check = (ok: boolean, problem: string): void => {
    if (!ok) problems.push(problem);
  };
  let open: number | undefined;
  let next = 0;
  let closing = false;
  check(events.length > 0, 'no event');
  for (const [position, event] of events.entries()) {
    const last = position === events.length - 1;
    check((event.type === 'message_stop' || event.type === 'error') === last, 'terminal event');
    if (event.type === 'error') return problems;
    check((event.type === 'message_start') === (position === 0), 'message_start');
    if (event.type === 'content_block_start') {
      check(open === undefined && event.index === next, 'block start');
      open = next;
      next += 1;
    } else if (event.type === 'content_block_delta') {
      check(event.index === open, 'delta outside of its block');
    } else if (event.type === 'content_block_stop') {
      check(event.index === open, 'block stop');
      open = undefined;
    } else if (event.type === 'message_delta') {
      check(open === undefined, 'message_delta within a block');
      closing = true;
    }
    const isEnd = event.type === 'message_delta' || event.type === 'message_stop';
    check(closing === isEnd, 'something between message_delta and message_stop');
  }
  return problems;
}

function textsOf(plans: readonly MessagePlan[], kind: BlockPlan['kind']): string {
  return plans
    .flatMap((plan) => plan.blocks)
    .flatMap((block) => (block.kind === kind ? block.chunks : []))
    .join('');
}

test('whatever is streamed, lost or retried, the stream is well-formed and says what the records say', () => {
  fc.assert(
    fc.property(
      fc.array(messagePlan, { maxLength: 3 }),
      fc.constantFrom(...ends),
      fc.constantFrom<AgentEventMode>(...AGENT_EVENT_MODES),
      fc.boolean(),
      (plans, end, agentEvents, showThinking) => {
        const renderer = new MessageRenderer({
          turnId: 'turn_p',
          requestId: 'req_p',
          model: 'm',
          agentEvents,
          showThinking,
        });
        const events = [...itemsOf(plans, end)].flatMap((item) => renderer.push(item));
        expect(problemsOf(events)).toEqual([]);
        const ok = end === 'completed' || end === 'max_tokens';
        expect(renderer.failure === undefined).toBe(ok);
        if (!ok) return;
        const accumulator = new MessageAccumulator();
        accumulator.add(events);
        const content = accumulator.message?.content ?? [];
        const text = content.map((block) => (block.type === 'text' ? block.text : '')).join('');
        const thought = content
          .map((block) => (block.type === 'thinking' ? block.thinking : ''))
          .join('');
        const expectedText = agentEvents === 'text' ? text : textsOf(plans, 'text');
        expect(text).toBe(expectedText);
        expect(thought).toBe(showThinking ? textsOf(plans, 'thinking') : '');
        const tools = content.filter((block) => block.type === 'mcp_tool_use').length;
        const expectedTools = plans
          .flatMap((plan) => plan.blocks)
          .filter((block) => block.kind === 'tool').length;
        expect(tools).toBe(agentEvents === 'blocks' ? expectedTools : 0);
      },
    ),
    { numRuns: 500 },
  );
});
