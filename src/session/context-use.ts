import type { AgentOutput } from '../contracts/agent-driver.ts';
import type { SessionRow } from '../contracts/session-store.ts';
import { monotonicMs, wallClockMs } from '../time/clock.ts';

/** What the model would have to read again, and when it last read it. */
export interface ContextEstimate {
  /** Tokens of the conversation; 0 when nothing is known of it. */
  readonly tokens: number;
  /** Since the end of the last model request. */
  readonly sinceMs: number;
}

/** How large a session's conversation is, learned from its model requests. It outlives the process, not the host. */
export class ContextUse {
  #last: { readonly tokens: number; readonly atMs: number } | undefined;

  /** Looks at everything that a turn puts out. */
  observe(output: AgentOutput): void {
    if (output.kind !== 'event' || output.body.type !== 'span.model_request_end') return;
    const { usage, parentToolUseId } = output.detail;
    // A subagent has a context of its own, which is gone with its task.
    if (usage === undefined || parentToolUseId !== undefined) return;
    const { inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens } = usage;
    const tokens = inputTokens + outputTokens + cacheReadInputTokens + cacheCreationInputTokens;
    // A request that failed read nothing.
    if (tokens > 0) this.#last = { tokens, atMs: monotonicMs() };
  }

  /**
   * The last request's input and output are the next one's input. Before the first request of this host the row must do:
   * the average of a turn, which is too much where turns make several requests, and the time of the last prompt.
   */
  estimate({
    usage,
    turnCount,
    lastActiveAt,
  }: Pick<SessionRow, 'usage' | 'turnCount' | 'lastActiveAt'>): ContextEstimate {
    if (this.#last !== undefined)
      return { tokens: this.#last.tokens, sinceMs: monotonicMs() - this.#last.atMs };
    const { inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens } = usage;
    const all = inputTokens + outputTokens + cacheReadInputTokens + cacheCreationInputTokens;
    return {
      tokens: turnCount === 0 ? 0 : Math.round(all / turnCount),
      sinceMs: Math.max(0, wallClockMs() - Date.parse(lastActiveAt)),
    };
  }
}
