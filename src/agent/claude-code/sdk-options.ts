import type { Options } from '@anthropic-ai/claude-agent-sdk';

import type { AgentOptions, AgentSpec } from '../../contracts/agent-driver.ts';
import type { OpenedTools } from '../../contracts/tool-endpoint.ts';
import type { Permissions } from './permissions.ts';
import type { AgentChild } from './spawn.ts';
import type { TranscriptMirror } from './transcript-mirror.ts';
import { processFolders } from './environment.ts';
import { disabledMcpTools, mcpServers } from './mcp-options.ts';

/** Tools of Claude Code's default set that make no sense behind an API. They stay out unless a session names them. */
export const TOOLS_NOT_BY_DEFAULT: readonly string[] = [
  // They need a person at a terminal.
  'AskUserQuestion',
  'EnterPlanMode',
  'ExitPlanMode',
  // They act after the turn has ended, or start turns that nobody asked for.
  'CronCreate',
  'CronDelete',
  'CronList',
  'ScheduleWakeup',
  'Monitor',
  'Workflow',
  'ListAgents',
  'SendMessage',
  'TaskStop',
  // They leave the workspace.
  'EnterWorktree',
  'ExitWorktree',
];

export interface SdkOptionsInput {
  readonly spec: AgentSpec;
  readonly executable: string;
  readonly environment: Record<string, string>;
  readonly child: AgentChild;
  readonly mirror: TranscriptMirror;
  /** Where the process reaches its client's tools, when it has any. */
  readonly clientTools: OpenedTools | undefined;
  readonly permissions: Permissions;
  /** Path of settings that only this process has. */
  readonly settings?: string;
  readonly abortController: AbortController;
}

/** How long a call may be held, in seconds: as long as the agent's timer can count. */
const HOLD_LIMIT_SECONDS = 2_147_483;

/** Everything a process is started with, in the SDK's words. Settings files of the machine and of the workspace have no say. */
export function sdkOptions(input: SdkOptionsInput): Options {
  const { spec, child } = input;
  const { options, takeUp } = spec;
  const model = takeUp?.model ?? options.model;
  return {
    cwd: spec.workspace ?? processFolders(spec.processFolder).parking,
    env: input.environment,
    pathToClaudeCodeExecutable: input.executable,
    spawnClaudeCodeProcess: child.spawn,
    abortController: input.abortController,
    ...(spec.resume ? { resume: spec.agentSessionId } : { sessionId: spec.agentSessionId }),
    sessionStore: input.mirror,
    // The user's entry then arrives during the turn, so that a process that dies leaves the prompt behind.
    sessionStoreFlush: 'eager',
    settingSources: [],
    strictMcpConfig: true,
    mcpServers: mcpServers(options, input.clientTools),
    // On the command line other users of the machine could read what a server is given.
    mcpServersDelivery: 'initialize',
    includePartialMessages: true,
    permissionMode: 'default',
    hooks: {
      PreToolUse: [
        {
          hooks: [input.permissions.preToolUse],
          timeout: HOLD_LIMIT_SECONDS,
          // By default the call would go ahead.
          onFailure: 'block',
        },
      ],
    },
    canUseTool: input.permissions.canUseTool,
    ...(input.settings !== undefined && { settings: input.settings }),
    // A prompt is a client's text: no `/clear` that discards the conversation, no `@/etc/passwd` that reads a file unasked.
    verbatimPrompts: true,
    systemPrompt: systemPrompt(options.systemPrompt),
    ...tools(options),
    ...(options.allowedTools === undefined ? {} : { allowedTools: [...options.allowedTools] }),
    ...(model === undefined ? {} : { model }),
    ...(options.maxModelRequests === undefined ? {} : { maxTurns: options.maxModelRequests }),
    ...thinking(options.maxThinkingTokens),
    ...(options.effort === undefined ? {} : { effort: options.effort }),
  };
}

function systemPrompt(prompt: AgentOptions['systemPrompt']): NonNullable<Options['systemPrompt']> {
  // Without `snapshot: false` the first prompt of a conversation would win over what a later start says.
  if (prompt?.mode === 'replace') return { type: 'custom', prompt: prompt.text, snapshot: false };
  return {
    type: 'preset',
    preset: 'claude_code',
    snapshot: false,
    ...(prompt === undefined ? {} : { append: prompt.text }),
  };
}

function tools(options: AgentOptions): Pick<Options, 'tools' | 'disallowedTools'> {
  const { tools: names } = options;
  const disabled = disabledMcpTools(options);
  if (names !== undefined) return { tools: [...names], disallowedTools: disabled };
  return {
    tools: { type: 'preset', preset: 'claude_code' },
    disallowedTools: [...TOOLS_NOT_BY_DEFAULT, ...disabled],
  };
}

function thinking(maxTokens: number | undefined): Pick<Options, 'thinking'> {
  if (maxTokens === undefined) return {};
  return {
    thinking: maxTokens === 0 ? { type: 'disabled' } : { type: 'enabled', budgetTokens: maxTokens },
  };
}
