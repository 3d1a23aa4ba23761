import type {
  CanUseTool,
  HookCallback,
  HookJSONOutput,
  PermissionResult,
} from '@anthropic-ai/claude-agent-sdk';

import type { AgentOptions, TakeUp } from '../../contracts/agent-driver.ts';
import type { Answerer, CallAnswer, PermissionDecision } from '../../contracts/answerer.ts';
import type { ToolFacts } from './tool-use.ts';
import type { Logger } from '../../telemetry/telemetry.ts';
import type { TurnRun } from './turn-run.ts';
import { toolKinds } from '../../contracts/tool-names.ts';
import { toolPermission } from '../../contracts/tool-permission.ts';
import { errorText } from '../../errors.ts';
import { unlessAborted } from '../../time/deadline.ts';
import { isRecord } from './unknown.ts';

const NOBODY_ASKED = 'No turn is running, so nobody can be asked.';
const TURN_OVER = 'The turn ended before anybody answered.';
const FAILED = 'The permission could not be decided, so it is denied.';

/** Tools whose question is for somebody at a terminal: leave alone does not answer it. */
const FOR_A_TERMINAL: ReadonlySet<string> = new Set([
  'AskUserQuestion',
  'EnterPlanMode',
  'ExitPlanMode',
]);

export interface PermissionsInput {
  readonly sessionId: string;
  readonly options: AgentOptions;
  readonly takeUp?: TakeUp | undefined;
  readonly answerer: Answerer;
  readonly tools: ToolFacts;
  /** The turn that runs now. Late-bound, because the SDK wants the callbacks before there is a process. */
  readonly currentRun: () => TurnRun | undefined;
  readonly log: Logger;
}

/** A call that may have to be asked about. */
interface Call {
  readonly toolUseId: string;
  readonly toolName: string;
  readonly toolInput: Record<string, unknown>;
  readonly agentId: string | undefined;
  readonly signal: AbortSignal;
}

export interface Permissions {
  /** Sees every call before anything of the agent does: read-only shell commands never come to `canUseTool`. */
  readonly preToolUse: HookCallback;
  /** What the agent itself wants to ask. */
  readonly canUseTool: CanUseTool;
}

/**
 * Who may run what: the options say which calls wait, and the turn says who is asked. Where a client answers, the call is
 * held until it does; where nobody does, and for what can't wait, the answer is there at once.
 */
export function permissions(input: PermissionsInput): Permissions {
  return {
    preToolUse: async (hook, _toolUseId, { signal }) => {
      if (hook.hook_event_name !== 'PreToolUse') return {};
      const { tool_name: toolName, tool_use_id: toolUseId, agent_id: agentId } = hook;
      const run = input.currentRun();
      const toolInput = isRecord(hook.tool_input) ? { ...hook.tool_input } : {};
      const call = { toolUseId, toolName, toolInput, agentId, signal };
      if (!asks(call, run, input) && input.takeUp?.call.toolUseId !== toolUseId) {
        if (agentId === undefined) run?.begin(toolUseId);
        return {};
      }
      return toHookOutput(await decide(call, run, input));
    },
    canUseTool: async (toolName, toolInput, { signal, toolUseID: toolUseId, agentID: agentId }) => {
      const call = { toolUseId, toolName, toolInput, agentId, signal };
      const decision =
        ruled(toolName, input.options) ?? (await decide(call, input.currentRun(), input));
      return toResult(decision, toolInput);
    },
  };
}

/** Whether somebody is asked about a call before it is carried out. */
function asks(
  { toolName, toolInput }: Call,
  run: TurnRun | undefined,
  { options, tools }: PermissionsInput,
): boolean {
  const tool = tools.kindOf(toolName);
  if (tool.kind !== 'client') return toolPermission(options, toolName) === 'ask';
  // Where no client answers, whoever answers in its place is asked by the call itself; a wrong input is nobody's.
  return run?.answers === 'client' && tools.problemOf(tool.alias, toolInput) === undefined;
}

/** Never rejects: a failure is a denial. */
async function decide(
  call: Call,
  run: TurnRun | undefined,
  input: PermissionsInput,
): Promise<PermissionDecision> {
  const { takeUp } = input;
  if (takeUp?.call.toolUseId === call.toolUseId) return leaveOf(takeUp.decision);
  if (run?.turn.running !== true) return deny(NOBODY_ASKED);
  const refusal = run.answers === 'client' ? unanswerable(call) : undefined;
  if (refusal !== undefined) return deny(refusal);

  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, over.signal]);
  void run.turn.finished.then(() => over.abort(new Error(TURN_OVER)));
  try {
    return run.answers === 'client'
      ? leaveOf(await unlessAborted(run.hold(call.toolUseId), signal))
      : await ask(call, run, input, signal);
  } catch (error) {
    if (signal.aborted) return deny(TURN_OVER);
    const { toolName } = call;
    input.log.warn('agent_permission_failed', { toolName, error: errorText(error) });
    return deny(FAILED);
  }
}

async function ask(
  { toolUseId, toolName, toolInput }: Call,
  { turn }: TurnRun,
  { sessionId, answerer }: PermissionsInput,
  signal: AbortSignal,
): Promise<PermissionDecision> {
  turn.push({ kind: 'answer_awaited', requestId: toolUseId });
  try {
    // The driver knows no turn ids; whoever wraps the answerer does.
    const request = { sessionId, turnId: null, toolUseId, toolName, input: toolInput };
    // An answerer may ignore the signal; the agent must not wait for it then.
    return await unlessAborted(answerer.decide(request, signal), signal);
  } finally {
    turn.push({ kind: 'answer_given', requestId: toolUseId });
  }
}

/** Why a client can't be asked about a call; undefined when it can. */
function unanswerable({ toolName, agentId }: Call): string | undefined {
  if (FOR_A_TERMINAL.has(toolName))
    return `${toolName} needs a person at a terminal, and there is none. Put the question, or the plan, into your answer instead.`;
  // A subagent can't be taken up by another process, so its calls can't wait.
  if (agentId !== undefined)
    return `${toolName} needs the client's leave, which a subagent can't wait for. Report what is needed, so that it can be called outside of the subagent.`;
  return undefined;
}

/** The leave that is in an answer: a client's result is given to whoever carries its call out, so that goes ahead. */
export function leaveOf(answer: CallAnswer): PermissionDecision {
  return answer.behavior === 'result' ? { behavior: 'allow' } : answer;
}

function toHookOutput(decision: PermissionDecision): HookJSONOutput {
  return {
    hookSpecificOutput: {
      hookEventName: 'PreToolUse',
      permissionDecision: decision.behavior,
      ...(decision.behavior === 'deny' && { permissionDecisionReason: decision.message }),
      ...(decision.behavior === 'allow' &&
        decision.updatedInput !== undefined && { updatedInput: decision.updatedInput }),
    },
  };
}

/** What the agent asks by itself, and is ruled: of its own tools only that which the options leave to it. */
function ruled(toolName: string, options: AgentOptions): PermissionDecision | undefined {
  const tool = toolKinds(options)(toolName);
  if (tool.kind === 'own') return undefined;
  // Whoever must be asked about it has been.
  if (tool.kind === 'client' || tool.policy === 'allow') return { behavior: 'allow' };
  return tool.policy === 'ask' ? undefined : deny(`${toolName} is not enabled for this agent.`);
}

function toResult(
  decision: PermissionDecision,
  toolInput: Record<string, unknown>,
): PermissionResult {
  return decision.behavior === 'allow'
    ? { behavior: 'allow', updatedInput: decision.updatedInput ?? toolInput }
    : { behavior: 'deny', message: decision.message };
}

function deny(message: string): PermissionDecision {
  return { behavior: 'deny', message };
}
