import type { TakeUp } from '../../contracts/agent-driver.ts';
import type { Answerer, ClientToolResult } from '../../contracts/answerer.ts';
import type { ToolCallHandler } from '../../contracts/tool-endpoint.ts';
import type { Logger } from '../../telemetry/telemetry.ts';
import type { TurnRun } from './turn-run.ts';
import { errorText } from '../../errors.ts';
import { unlessAborted } from '../../time/deadline.ts';

const NOBODY_ASKED = 'Nobody was asked to answer this call.';
const TURN_OVER = 'The turn ended before the client answered.';
const FAILED = 'The client could not be asked.';

export interface ClientToolsInput {
  readonly sessionId: string;
  /** The client's name of a tool, by what it is called at the endpoint. */
  readonly nameOf: (alias: string) => string;
  readonly answerer: Answerer;
  readonly takeUp?: TakeUp | undefined;
  /** The turn that runs now. Late-bound: the tools are offered before there is a process. */
  readonly currentRun: () => TurnRun | undefined;
  readonly log: Logger;
}

/**
 * What calls of the client's tools come to. A client that answers has done so when the call arrives: the agent was held
 * before it made it. Else they go to the answerer, and the turn's reader is told that somebody is waited for.
 */
export function clientToolCalls(input: ClientToolsInput): ToolCallHandler {
  return async ({ name: alias, input: toolInput, toolUseId }, gone) => {
    const { takeUp } = input;
    const run = input.currentRun();
    // A process that takes a call up may carry it out before its turn is there.
    const answer =
      takeUp?.call.toolUseId === toolUseId ? takeUp.decision : run?.held.answerTo(toolUseId);
    if (answer?.behavior === 'result') return answer.result;
    if (run?.turn.running !== true || run.answers === 'client') return refusal(NOBODY_ASKED);
    const { turn } = run;
    const over = new AbortController();
    const signal = AbortSignal.any([gone, over.signal]);
    void turn.finished.then(() => over.abort(new Error(TURN_OVER)));

    turn.push({ kind: 'answer_awaited', requestId: toolUseId });
    try {
      const call = {
        sessionId: input.sessionId,
        // The driver knows no turn ids; whoever wraps the answerer does.
        turnId: null,
        toolUseId,
        toolName: input.nameOf(alias),
        input: toolInput,
      };
      // An answerer may ignore the signal; the agent must not wait for it then.
      return await unlessAborted(input.answerer.callTool(call, signal), signal);
    } catch (error) {
      if (signal.aborted) return refusal(TURN_OVER);
      input.log.warn('agent_client_tool_failed', { toolName: alias, error: errorText(error) });
      return refusal(FAILED);
    } finally {
      turn.push({ kind: 'answer_given', requestId: toolUseId });
    }
  };
}

function refusal(text: string): ClientToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}
