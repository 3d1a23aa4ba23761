import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';

import {
  prewarm,
  query,
  startup,
  type Options,
  type Query,
  type SDKMessage,
  type SDKUserMessage,
  type SessionStore,
} from '@anthropic-ai/claude-agent-sdk';

import { ANSWER, PROMPT, type Timing } from './prompts.ts';
import { agentEnvironment, processFolders } from '../../src/agent/claude-code/environment.ts';
import { checkedExecutable } from '../../src/agent/claude-code/executable.ts';
import { PromptChannel } from '../../src/agent/claude-code/prompt-channel.ts';
import { TOOLS_NOT_BY_DEFAULT } from '../../src/agent/claude-code/sdk-options.ts';
import { monotonicMs } from '../../src/time/clock.ts';

export interface BareSetup {
  /** Where folders of processes are made. */
  readonly folder: string;
  readonly credentials: Readonly<Record<string, string>>;
}

export interface BareStart {
  /** The conversation: begun, or with `resume` taken up from the store. */
  readonly sessionId: string;
  readonly resume?: boolean;
  readonly store?: SessionStore;
}

/** How a process comes to its first prompt: with `query()`, made ready by `startup()`, or parked by `prewarm()`. */
export type Way = 'query' | 'startup' | 'prewarm';

/**
 * A Claude Code process on the SDK alone, as somebody would write it who holds one process per conversation: with the
 * environment and the options that our driver gives, and nothing else of ours.
 */
export class BareAgent {
  readonly #open: () => Query;
  readonly #channel: PromptChannel;
  readonly #exited: Promise<void>;
  #query: Query | undefined;

  private constructor(open: () => Query, channel: PromptChannel, exited: Promise<void>) {
    this.#open = open;
    this.#channel = channel;
    this.#exited = exited;
  }

  /**
   * With `query` it returns at once, the process coming up; with `startup` when the process is ready. With `prewarm` when
   * it is parked: its folder comes with the first turn.
   */
  static async open(setup: BareSetup, start: BareStart, way: Way): Promise<BareAgent> {
    const exited = Promise.withResolvers<void>();
    const options = await bareOptions(setup, start, exited.resolve);
    const channel = new PromptChannel();
    if (way === 'prewarm') return BareAgent.#parked(options, channel, exited.promise);
    const opened =
      way === 'query'
        ? query({ prompt: channel, options })
        : (await startup({ options })).query(channel);
    return new BareAgent(() => opened, channel, exited.promise);
  }

  static async #parked(
    options: Options & { cwd: string },
    channel: PromptChannel,
    exited: Promise<void>,
  ): Promise<BareAgent> {
    const parking = `${options.cwd}-parking`;
    mkdirSync(parking);
    const spare = await prewarm({ options: { ...options, cwd: parking } });
    const claim = { prompt: channel, options: { cwd: options.cwd } };
    return new BareAgent(() => spare.claim(claim), channel, exited);
  }

  /** Runs one turn. The clock starts now, or at `startedAtMs` where what came before belongs to the turn. */
  async turn(startedAtMs = monotonicMs()): Promise<Timing> {
    const live = (this.#query ??= this.#open());
    this.#channel.write(userMessage());
    let firstTextMs: number | undefined;
    let text = '';
    for (;;) {
      const { value: message, done } = await live.next();
      if (done === true) throw new Error('The process ended in the middle of a turn.');
      const delta = textDelta(message);
      if (delta !== undefined) {
        firstTextMs ??= monotonicMs() - startedAtMs;
        text += delta;
      }
      if (message.type !== 'result') continue;
      const totalMs = monotonicMs() - startedAtMs;
      if (firstTextMs === undefined || text !== ANSWER) {
        throw new Error(`Another answer than expected: ${JSON.stringify(message)}`);
      }
      return { firstTextMs, totalMs };
    }
  }

  /** Ends the process and waits until it is gone. */
  async close(): Promise<void> {
    this.#channel.close();
    this.#query?.close();
    await this.#exited;
  }
}

async function bareOptions(
  { folder, credentials }: BareSetup,
  { sessionId, resume = false, store }: BareStart,
  onExit: () => void,
): Promise<Options & { cwd: string }> {
  const processFolder = mkdtempSync(join(folder, 'bare-'));
  const { config, temporary } = processFolders(processFolder);
  const workspace = join(processFolder, 'workspace');
  for (const path of [config, temporary, workspace]) mkdirSync(path);
  return {
    cwd: workspace,
    env: agentEnvironment({ clientId: 'bare', processFolder, credentials, maxRetries: 0 }),
    pathToClaudeCodeExecutable: await checkedExecutable(undefined),
    spawnClaudeCodeProcess: ({ command, args, cwd, env }) => {
      // What the SDK does by itself; done here to learn when the process is gone.
      const child = spawn(command, args, {
        ...(cwd === undefined ? {} : { cwd }),
        env,
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      child.once('exit', onExit);
      return child;
    },
    ...(resume ? { resume: sessionId } : { sessionId }),
    ...(store === undefined ? {} : { sessionStore: store, sessionStoreFlush: 'eager' }),
    settingSources: [],
    strictMcpConfig: true,
    mcpServersDelivery: 'initialize',
    includePartialMessages: true,
    permissionMode: 'default',
    canUseTool: () => Promise.resolve({ behavior: 'deny', message: 'No tools here.' }),
    verbatimPrompts: true,
    systemPrompt: { type: 'preset', preset: 'claude_code', snapshot: false },
    tools: { type: 'preset', preset: 'claude_code' },
    disallowedTools: [...TOOLS_NOT_BY_DEFAULT],
  };
}

function userMessage(): SDKUserMessage {
  return {
    type: 'user',
    uuid: randomUUID(),
    parent_tool_use_id: null,
    message: { role: 'user', content: [{ type: 'text', text: PROMPT }] },
  };
}

function textDelta(message: SDKMessage): string | undefined {
  if (message.type !== 'stream_event' || message.event.type !== 'content_block_delta') {
    return undefined;
  }
  const { delta } = message.event;
  return delta.type === 'text_delta' ? delta.text : undefined;
}
