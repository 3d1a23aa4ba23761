import type { SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';

import type { RetryNotice, TurnEnd } from '../../events/record.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Redact } from './redact.ts';
import { upstreamErrorCode } from './errors.ts';
import { usageOfTurn } from './usage.ts';

/** What the turn itself knows when the agent reports its end. */
export interface TurnFacts {
  /** `stop_reason` of the last model message that was complete. */
  readonly stopReason: string | null;
  readonly modelRequests: number;
  readonly lastRetry: RetryNotice | undefined;
  /** Whether we asked for the end. */
  readonly interrupted: boolean;
  /** A refusal of the credential, seen at the first retry: the turn was ended for it. */
  readonly refusedStatus: number | undefined;
}

/** The end of a turn, from the agent's result. Texts are the agent's own, without secrets. */
export function turnEndOf(result: SDKResultMessage, facts: TurnFacts, redact: Redact): TurnEnd {
  const common = {
    usage: usageOfTurn(result),
    modelRequests: facts.modelRequests,
    stopReason: facts.stopReason,
  };
  const failed = (code: ErrorCode, message: string): TurnEnd => {
    const retryable = code === 'upstream_rate_limited' || code === 'upstream_overloaded';
    const waitMs = retryable ? facts.lastRetry?.waitMs : undefined;
    return {
      ...common,
      reason: 'failed',
      error: {
        code,
        message: redact(message),
        ...(waitMs === undefined
          ? {}
          : { retryAfterSeconds: Math.max(1, Math.round(waitMs / 1000)) }),
      },
    };
  };

  if (facts.refusedStatus !== undefined) {
    return failed(
      upstreamErrorCode(facts.refusedStatus),
      `The model API refused the server's credential with status ${facts.refusedStatus}.`,
    );
  }
  if (isAborted(result)) {
    return facts.interrupted
      ? {
          ...common,
          reason: 'interrupted',
          error: { code: 'turn_interrupted', message: 'The turn was interrupted.' },
        }
      : failed('agent_failed', 'The agent gave the turn up, and nobody had asked for it.');
  }
  if (result.subtype === 'error_max_turns') return { ...common, reason: 'max_turns' };
  if (result.subtype !== 'success') {
    return failed(
      'agent_failed',
      result.errors.join('; ') || `The agent reported ${result.subtype}.`,
    );
  }
  if (result.stop_reason === 'refusal') return { ...common, reason: 'refusal' };
  if (!result.is_error) {
    return { ...common, reason: facts.stopReason === 'max_tokens' ? 'max_tokens' : 'completed' };
  }
  // After its own attempts to go on the agent reports the limit as an error of the API.
  if (Reflect.get(result, 'api_error') === 'max_output_tokens')
    return { ...common, reason: 'max_tokens' };
  if (result.api_error_status !== undefined && result.api_error_status !== null) {
    return failed(upstreamErrorCode(result.api_error_status), result.result);
  }
  return failed(
    result.terminal_reason === 'api_error' ? 'upstream_failed' : 'agent_failed',
    result.result || 'The agent ended the turn with an error and gave no reason.',
  );
}

/** Whether the agent broke the turn off, for whatever cause. */
export function isAborted(result: SDKResultMessage): boolean {
  return (
    result.terminal_reason === 'aborted_streaming' || result.terminal_reason === 'aborted_tools'
  );
}
