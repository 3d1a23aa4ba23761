import type { CanUseTool, PermissionResult } from '@anthropic-ai/claude-agent-sdk';

import type { Answerer, PermissionDecision } from '../../contracts/answerer.ts';
import type { ToolKind } from '../../contracts/tool-names.ts';
import type { Logger } from '../../telemetry/telemetry.ts';
import type { AgentTurn } from './turn.ts';
import { errorText } from '../../errors.ts';
import { unlessAborted } from '../../time/deadline.ts';

const NOBODY_ASKED = 'No turn is running, so nobody can be asked.';
const TURN_OVER = 'The turn ended before anybody answered.';

export interface PermissionsInput {
  readonly sessionId: string;
  readonly answerer: Answerer;
  /** What a tool is, by the agent's name of it. */
  readonly kindOf: (toolName: string) => ToolKind;
  /** The turn that runs now. Late-bound, because the SDK wants the callback before there is a process. */
  readonly currentTurn: () => AgentTurn | undefined;
  readonly log: Logger;
}

/** The SDK's `canUseTool`: hands the request to the answerer, and tells the turn's reader that somebody is waited for. */
export function permissions(input: PermissionsInput): CanUseTool {
  return async (toolName, toolInput, { signal, toolUseID, requestId }) => {
    const known = ruled(toolName, input.kindOf(toolName));
    if (known !== undefined) return toResult(known, toolInput);
    const turn = input.currentTurn();
    if (turn?.running !== true) return deny(NOBODY_ASKED);
    const over = new AbortController();
    const signals = AbortSignal.any([signal, over.signal]);
    void turn.finished.then(() => over.abort(new Error(TURN_OVER)));

    turn.push({ kind: 'answer_awaited', requestId });
    try {
      const request = {
        sessionId: input.sessionId,
        // The driver knows no turn ids; whoever wraps the answerer does.
        turnId: null,
        toolUseId: toolUseID,
        toolName,
        input: toolInput,
      };
      // An answerer may ignore the signal; the agent must not wait for it then.
      return toResult(
        await unlessAborted(input.answerer.decide(request, signals), signals),
        toolInput,
      );
    } catch (error) {
      if (!signals.aborted) {
        input.log.warn('agent_permission_failed', { toolName, error: errorText(error) });
      }
      return deny(
        signals.aborted ? TURN_OVER : 'The permission could not be decided, so it is denied.',
      );
    } finally {
      turn.push({ kind: 'answer_given', requestId });
    }
  };
}

/** What needs no question. */
function ruled(toolName: string, tool: ToolKind): PermissionDecision | undefined {
  // To call it is to ask the client.
  if (tool.kind === 'client') return { behavior: 'allow' };
  if (tool.kind === 'own' || tool.policy === 'ask') return undefined;
  return tool.policy === 'allow'
    ? { behavior: 'allow' }
    : { behavior: 'deny', message: `${toolName} is not enabled for this agent.` };
}

function toResult(
  decision: PermissionDecision,
  toolInput: Record<string, unknown>,
): PermissionResult {
  return decision.behavior === 'allow'
    ? { behavior: 'allow', updatedInput: decision.updatedInput ?? toolInput }
    : deny(decision.message);
}

function deny(message: string): PermissionResult {
  return { behavior: 'deny', message };
}
