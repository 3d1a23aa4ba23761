/** What a text block of a user message is: a person's prompt, or one of the things Claude Code writes by itself. */
export type UserText =
  | { kind: 'prompt'; text: string }
  /** It asks for the rest of an answer that ended with `max_tokens` or `refusal`, or for structured output. */
  | { kind: 'continuation' }
  /** A background task ended. */
  | { kind: 'task-report' }
  /** The conversation so far, compacted. */
  | { kind: 'summary' }
  /** Reminders, markers, quotations: nothing to answer. */
  | { kind: 'machine' };

// All of this was seen in requests of the CLI of agent SDK 0.3.330; none of it is documented.

/** Text around or between prompts. */
const MACHINE_TEXT =
  /<(system-reminder|local-command-[a-z]+|command-[a-z]+|bash-(?:input|stdout|stderr)|ide_[a-z_]+|new-diagnostics|task-notification|user-prompt-submit-hook)>[\s\S]*?<\/\1>/g;

/**
 * Side requests (a title for the session, a summary) quote the conversation inside such a tag; greedy, so that a quoted
 * closing tag does not let the rest out. Directives in a quotation must not run.
 */
const QUOTATION = /<(session|conversation|transcript)>[\s\S]*<\/\1>/g;

/** Side requests that quote without a tag: the label of tool calls, a fetched page. */
const UNTAGGED_QUOTATION = /(?:^|\n)(?:Tools completed|Web page content):\s*\n[\s\S]*$/;

/** Lines written after an interrupt, on taking up a turn again, and beside an attached image. */
const MARKER =
  /^(?:\[Request interrupted by user(?: for tool use)?\]|\[Image: [^\]]*\]|Continue from where you left off\.)$/;

const CONTINUATION =
  /^(?:Output token limit hit\.|Your response above was stopped by a safety classifier|\[structured-output-enforce\])/;

const SUMMARY = /^This session is being continued from a previous conversation/;

/** Tells a person's prompt from what Claude Code writes into user messages. Pure. */
export function readUserText(text: string): UserText {
  const left = text
    .replace(MACHINE_TEXT, '')
    .replace(QUOTATION, '')
    .replace(UNTAGGED_QUOTATION, '')
    .trim();
  if (CONTINUATION.test(left)) return { kind: 'continuation' };
  if (SUMMARY.test(left)) return { kind: 'summary' };
  if (left !== '' && !MARKER.test(left)) return { kind: 'prompt', text: left };
  return { kind: text.includes('<task-notification>') ? 'task-report' : 'machine' };
}
