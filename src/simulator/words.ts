import type { Conversation, ToolResult } from './conversation.ts';
import { DIRECTIVES } from './directive-list.ts';

const RESULT_CHARS = 200;
const PROMPT_CHARS = 200;
const EARLIER_PROMPT_CHARS = 60;
const EARLIER_PROMPTS_SHOWN = 10;

const LONG_WORDS =
  'a roundhouse keeps its engines under steam so that each one leaves the moment someone calls for it while the others wait their turn on the ring of tracks around the table'.split(
    ' ',
  );
const WORDS_PER_SENTENCE = 12;
/** Three letters and a space are four characters, and so one token of the estimate. */
const TOKEN_WORDS = 'the sun has set and one old dog ran out for its bed'
  .split(' ')
  .map((word) => word.padEnd(3, 'e'));

/** What is said to a prompt without a directive: it shows that the conversation arrived whole. */
export function defaultAnswer(conversation: Conversation, promptText: string): string {
  if (conversation.prompt === undefined) return 'I was sent no prompt.';
  const attachments = attachmentsOf(conversation);
  const said =
    promptText === ''
      ? `You sent ${attachments || 'an empty prompt'} without a word.`
      : `You said: "${brief(promptText, PROMPT_CHARS)}"${attachments && ` and ${attachments}`}.`;
  return `${said} ${contextOf(conversation)}`;
}

/** The answer to Claude Code's own request for a summary, in the tags that it looks for. */
export function summaryAnswer({ earlierPrompts }: Conversation): string {
  const prompts = earlierPrompts.map((prompt) => `- ${brief(prompt, PROMPT_CHARS)}`).join('\n');
  return `<analysis>Simulated.</analysis>\n<summary>\nThe prompts so far:\n${prompts || '- none'}\n</summary>`;
}

/** A line for each tool result: the tool's name, whether it failed, and the first 200 characters. */
export function resultsAnswer(results: readonly ToolResult[]): string {
  return results
    .map(({ tool, text, isError }) => {
      const shown = text.trim() === '' ? '(nothing)' : brief(text, RESULT_CHARS);
      return `${tool} ${isError ? 'failed' : 'returned'}: ${shown}`;
    })
    .join('\n');
}

/** Explains the directives to someone who mistyped one. */
export function helpAnswer(problems: readonly string[]): string {
  const list = DIRECTIVES.map(({ example, meaning }) => `- ${example}: ${meaning}`);
  return `${problems.join(' ')} This is the simulator, not a model; a prompt can ask it for:\n\n${list.join('\n')}`;
}

/** `count` words of prose. */
export function longText(count: number): string {
  const words: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const word = LONG_WORDS[at % LONG_WORDS.length] ?? '';
    const first = at % WORDS_PER_SENTENCE === 0;
    const last = at % WORDS_PER_SENTENCE === WORDS_PER_SENTENCE - 1 || at === count - 1;
    words.push(`${first ? word.charAt(0).toUpperCase() + word.slice(1) : word}${last ? '.' : ''}`);
  }
  return words.join(' ');
}

/** A text that is delivered in exactly `count` pieces and estimated at exactly `count` tokens. */
export function tokenText(count: number): string {
  let text = '';
  for (let at = 0; at < count; at += 1) {
    text += `${TOKEN_WORDS[at % TOKEN_WORDS.length]}${at === count - 1 ? '.' : ' '}`;
  }
  return text;
}

/** The text in pieces of one word each, with the white space after it. Joined they are the text again. */
export function wordPieces(text: string): string[] {
  return text.match(/\s*\S+\s?|\s+$/g) ?? [];
}

function contextOf({ earlierMessageCount, earlierPrompts }: Conversation): string {
  const messages =
    earlierMessageCount === 0
      ? 'no earlier messages'
      : counted(earlierMessageCount, 'earlier message');
  const count = `I was shown ${messages}`;
  if (earlierPrompts.length === 0) return `${count}.`;
  const shown = earlierPrompts.slice(-EARLIER_PROMPTS_SHOWN);
  const names = shown.map((prompt) => `"${brief(prompt, EARLIER_PROMPT_CHARS)}"`).join(', ');
  const hidden = earlierPrompts.length - shown.length;
  const before = hidden > 0 ? `${counted(hidden, 'older one')}, then ` : '';
  const verb =
    earlierPrompts.length === 1 ? 'your earlier prompt was' : 'your earlier prompts were';
  return `${count}; ${verb}: ${before}${names}.`;
}

function attachmentsOf({ imageCount, documentCount }: Conversation): string {
  const parts = [
    imageCount > 0 ? counted(imageCount, 'image') : '',
    documentCount > 0 ? counted(documentCount, 'document') : '',
  ];
  return parts.filter((part) => part !== '').join(' and ');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line of at most `maxChars` characters. */
function brief(text: string, maxChars: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > maxChars ? `${line.slice(0, maxChars)}…` : line;
}
