import { ApiError } from './errors.ts';
import type { Message } from './message.ts';

/**
 * Throws a 400 {@link ApiError} for a history in which a call has no result in the next message, or a result no call in the
 * one before. The API refuses it; so do we, so that a transcript put together wrongly is found in a test.
 */
export function checkToolPairs(messages: readonly Message[]): void {
  let called = new Set<string>();
  for (const { role, blocks } of messagesMerged(messages)) {
    const answered = new Set<string>();
    for (const block of blocks) {
      if (block.type !== 'tool_result') continue;
      if (!called.has(block.toolUseId)) {
        throw new ApiError(
          400,
          `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.toolUseId}. ` +
            'Each `tool_result` must have a `tool_use` in the message before it.',
        );
      }
      answered.add(block.toolUseId);
    }
    const missing = [...called].filter((id) => !answered.has(id));
    if (missing.length > 0) {
      throw new ApiError(
        400,
        `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(', ')}.`,
      );
    }
    called = new Set(
      role === 'assistant' ? blocks.flatMap((b) => (b.type === 'tool_use' ? [b.id] : [])) : [],
    );
  }
}

/** Neighbours of one role count as one message, and `system` messages do not part them. */
function messagesMerged(messages: readonly Message[]): Message[] {
  const merged: Message[] = [];
  for (const { role, blocks } of messages) {
    if (role === 'system') continue;
    const last = merged.at(-1);
    if (last?.role === role) last.blocks.push(...blocks);
    else merged.push({ role, blocks: [...blocks] });
  }
  return merged;
}
