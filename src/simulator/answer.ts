import { readConversation } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import { parseDirectives } from './directives.ts';
import type { Directive, Fault, UsageCounts } from './directives.ts';
import { isObject } from './json.ts';
import { valueForSchema } from './json-answer.ts';
import { STRUCTURED_OUTPUT_TOOL, estimateTokens } from './request.ts';
import type { MessagesRequest } from './request.ts';
import {
  defaultAnswer,
  helpAnswer,
  longText,
  resultsAnswer,
  summaryAnswer,
  tokenText,
} from './words.ts';

/** A content block of an answer, before it has an id. */
export type PlannedBlock =
  | { type: 'thinking'; text: string }
  | { type: 'text'; text: string }
  | { type: 'tool_use'; name: string; input: Record<string, unknown> };

/** The stop reasons the simulator gives. */
export type StopReason = 'end_turn' | 'tool_use' | 'max_tokens' | 'refusal';

/** All of an answer but its ids and its pace on the wire. */
export interface AnswerPlan {
  blocks: PlannedBlock[];
  stopReason: StopReason;
  usage: Required<UsageCounts>;
  /** The wait before each piece; undefined: the simulator's own. */
  delayMs: number | undefined;
  /** The way to fail, before it is known whether its `times` are used up. */
  fault: Fault | undefined;
  /** The prompt it answers, as in {@link Conversation}. */
  prompt: string | undefined;
}

const FAULTS: ReadonlySet<string> = new Set<Fault['name']>([
  'error',
  'stall',
  'pings',
  'cut',
  'broken',
  'overloaded',
]);

/** How the CLI asks for a summary when it compacts a conversation. */
const COMPACTION = /^CRITICAL: Respond with TEXT ONLY[\s\S]*<summary>/;

/** Called by `[[stall tool-input]]` when the prompt names no tool. */
const STALLED_TOOL: PlannedBlock = {
  type: 'tool_use',
  name: 'Bash',
  input: { command: 'echo this input is never complete' },
};

/** Works out the answer to a request: its blocks, its end, its counts, its failure. Pure; the same for the same request. */
export function planAnswer(request: MessagesRequest): AnswerPlan {
  const conversation = readConversation(request.messages);
  const { text, steps, problems } = parseDirectives(conversation.prompt ?? '');
  const plan = (blocks: PlannedBlock[], directives: Directive[]): AnswerPlan => {
    const stopReason = stopReasonOf(blocks, directives);
    return {
      blocks,
      stopReason,
      usage: usageOf(request, blocks, directives),
      delayMs: directives.findLast((directive) => directive.name === 'slow')?.delayMs,
      fault: directives.find(isFault),
      prompt: conversation.prompt,
    };
  };
  if (problems.length > 0) return plan([{ type: 'text', text: helpAnswer(problems) }], []);

  const at = stepAt(steps, conversation.toolResults.length);
  const now = (steps[at] ?? []).filter((directive) => !isOver(directive, conversation));
  // How slow and how big an answer is holds for the whole prompt; all else for its own step.
  const lasting = steps
    .slice(0, at)
    .flat()
    .filter(({ name }) => name === 'slow' || name === 'usage');
  const fallback = (): string => fallbackText(request, conversation, text);
  const structured = structuredOutput(request, conversation, now, fallback);
  return plan(structured ?? blocksOf(now, fallback), [...lasting, ...now]);
}

/** The step that is next: each one waits for as many results as the steps before it called tools. */
function stepAt(steps: readonly Directive[][], resultCount: number): number {
  let at = 0;
  for (let expected = 0; at < steps.length && resultCount > expected; at += 1) {
    expected += (steps[at] ?? []).filter(({ name }) => name === 'tool').length;
  }
  return at;
}

/** An end cut short with `times` is over once Claude Code asked so often for more. */
function isOver(directive: Directive, { continuations }: Conversation): boolean {
  if (directive.name !== 'max-tokens' && directive.name !== 'refusal') return false;
  return directive.times !== undefined && continuations >= directive.times;
}

/** The call of Claude Code's tool for structured output, when it is offered and the prompt does not say otherwise. */
function structuredOutput(
  { structuredOutputSchema: schema }: MessagesRequest,
  { toolResults, continuations }: Conversation,
  directives: readonly Directive[],
  fallback: () => string,
): PlannedBlock[] | undefined {
  const name = STRUCTURED_OUTPUT_TOOL;
  if (schema === undefined || toolResults.some(({ tool }) => tool === name)) return undefined;
  if (directives.length > 0 && continuations === 0) return undefined;
  const input = valueForSchema(schema, fallback());
  return isObject(input) ? [{ type: 'tool_use', name, input }] : undefined;
}

/** What is said when no directive says anything. */
function fallbackText(
  request: MessagesRequest,
  conversation: Conversation,
  promptText: string,
): string {
  const shown = promptText === '' ? (conversation.prompt ?? '') : promptText;
  if (request.outputSchema !== undefined) {
    return JSON.stringify(valueForSchema(request.outputSchema, 'Simulated'));
  }
  if (COMPACTION.test(promptText)) return summaryAnswer(conversation);
  if (conversation.toolResults.length > 0) return resultsAnswer(conversation.toolResults);
  return defaultAnswer(conversation, shown);
}

function blocksOf(directives: readonly Directive[], fallback: () => string): PlannedBlock[] {
  const thinking: PlannedBlock[] = [];
  const texts: string[] = [];
  const tools: PlannedBlock[] = [];
  for (const directive of directives) {
    if (directive.name === 'think') thinking.push(thinkingBlock(directive.about));
    if (directive.name === 'say') texts.push(directive.text);
    if (directive.name === 'long') texts.push(longText(directive.words));
    if (directive.name === 'tokens') texts.push(tokenText(directive.count));
    if (directive.name === 'tool') {
      tools.push({ type: 'tool_use', name: directive.tool, input: directive.input });
    }
  }
  const fault = directives.find(isFault);
  if (fault?.name === 'stall' && fault.at === 'tool-input' && tools.length === 0) {
    tools.push(STALLED_TOOL);
  }
  const refused = directives.some(({ name }) => name === 'refusal');
  const failsInText = fault !== undefined && !(fault.name === 'stall' && fault.at === 'tool-input');
  if (texts.length === 0 && !refused && (tools.length === 0 || failsInText)) texts.push(fallback());
  const text = texts.join('\n');
  const outOfTokens = directives.some(({ name }) => name === 'max-tokens');
  const shown = outOfTokens ? text.slice(0, Math.ceil(text.length / 2)) : text;
  return [
    ...thinking,
    ...(shown === '' ? [] : [{ type: 'text' as const, text: shown }]),
    ...(outOfTokens || refused ? [] : tools),
  ];
}

function thinkingBlock(about: string): PlannedBlock {
  const subject = about.replace(/^about\s+/i, '') || 'it';
  return {
    type: 'thinking',
    text: `Let me think about ${subject}. First I look at what was asked. Then I choose the answer.`,
  };
}

function stopReasonOf(
  blocks: readonly PlannedBlock[],
  directives: readonly Directive[],
): StopReason {
  if (directives.some(({ name }) => name === 'refusal')) return 'refusal';
  if (directives.some(({ name }) => name === 'max-tokens')) return 'max_tokens';
  return blocks.some(({ type }) => type === 'tool_use') ? 'tool_use' : 'end_turn';
}

function usageOf(
  request: MessagesRequest,
  blocks: readonly PlannedBlock[],
  directives: readonly Directive[],
): Required<UsageCounts> {
  const asked = directives.findLast((directive) => directive.name === 'usage')?.counts;
  const chars = blocks.reduce(
    (sum, block) =>
      sum + (block.type === 'tool_use' ? JSON.stringify(block.input) : block.text).length,
    0,
  );
  return {
    input: request.inputTokens,
    output: estimateTokens(chars),
    cacheRead: 0,
    cacheWrite: 0,
    ...asked,
  };
}

function isFault(directive: Directive): directive is Fault {
  return FAULTS.has(directive.name);
}
