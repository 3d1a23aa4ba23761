import type { Variable } from '../definitions/environment.ts';
import type { Answerer, CallAnswer } from './answerer.ts';
import type { ClientTool } from './tool-endpoint.ts';
import type { SeedMessage, TranscriptStore } from './transcripts.ts';

import type { EventDetail, PromptContent, SessionEvent, TurnEnd } from '../events/record.ts';
import type { Preview } from '../events/preview.ts';

/** What happens when the model calls a tool of an MCP server; a disabled one does not exist for it. */
export type McpToolPolicy = 'allow' | 'ask' | 'disabled';

/** An MCP server that the agent connects to by itself, as soon as it starts. */
export interface McpServer {
  /** What events call it; distinct within an agent. */
  readonly name: string;
  /** Streamable HTTP, without credentials. */
  readonly url: string;
  /** For tools that {@link McpServer.tools} does not name. */
  readonly defaultPolicy: McpToolPolicy;
  readonly tools: readonly { readonly name: string; readonly policy: McpToolPolicy }[];
}

/** How much the model thinks and writes; what a model does not know is lowered by the agent. */
export type Effort = 'low' | 'medium' | 'high' | 'xhigh' | 'max';

/** What a session's agent is made of. Plain data: it is stored with the session and compared by its fingerprint. */
export interface AgentOptions {
  /** The session's model; a turn may name another for itself. Changes live. */
  readonly model?: string;
  /** Replaces the agent's own system prompt, or is appended to it. Fixed at the start of a process. */
  readonly systemPrompt?: { readonly mode: 'replace' | 'append'; readonly text: string };
  /** Names of the agent's own tools that exist for it; `[]` means none, absent means the driver's default. */
  readonly tools?: readonly string[];
  /** Tools that run without a permission request. */
  readonly allowedTools?: readonly string[];
  /** Own tools of which each call waits for leave, whatever the agent itself thinks of it. They go before `allowedTools`. */
  readonly askFirst?: readonly string[];
  /** Model requests of one turn at most. */
  readonly maxModelRequests?: number;
  /** Tokens the model may think for in each message; 0 switches thinking off. */
  readonly maxThinkingTokens?: number;
  /** Tools that live with the client: a call comes to the {@link Answerer}. */
  readonly clientTools?: readonly ClientTool[];
  readonly mcpServers?: readonly McpServer[];
  /** Default: the model's own. */
  readonly effort?: Effort;
}

/** Everything that a process is started with. */
export interface AgentSpec {
  /** The agent's id of the conversation, a UUID minted by us. */
  readonly agentSessionId: string;
  /** Our id of the session, for what is asked of an answerer. */
  readonly sessionId: string;
  /** Whether a transcript exists that the process must take up. */
  readonly resume: boolean;
  /** The mark that the process and everything it starts inherit, so that leftovers can be found. */
  readonly clientId: string;
  /**
   * The folder the agent works in: absolute, exists. Absent, it comes with {@link AgentProcess.bind}: only where the driver
   * says {@link AgentCapabilities.lateWorkspace}, and never together with `resume`.
   */
  readonly workspace?: string;
  /** The process's own folder, empty and private, for its configuration and temporary files: absolute, exists. */
  readonly processFolder: string;
  readonly options: AgentOptions;
  /**
   * Variables that the agent and its tools get beside what the driver sets, which goes before them. They reach nothing but the
   * process: no argument, no log and no error.
   */
  readonly variables?: Readonly<Record<string, Variable>>;
  readonly transcripts: TranscriptStore;
  readonly answerer: Answerer;
  /** Set when the process goes on with a turn whose process has gone: only together with `resume`. See {@link AgentProcess.takeUp}. */
  readonly takeUp?: TakeUp;
}

/** A call of a tool that stands in a transcript without a result. */
export interface OpenCall {
  /** The agent's id of the call. */
  readonly toolUseId: string;
  /** The agent's name of the tool. */
  readonly toolName: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** An open call whose answer is known: the start of a process carries it out, or tells the model why not. Never both, never twice. */
export interface TakeUp {
  readonly call: OpenCall;
  /** The id of the record of the call; its result names it. */
  readonly eventId: string;
  readonly decision: CallAnswer;
  /** The model of this turn; absent means the session's. */
  readonly model?: string;
  /** Calls that were never handed to a process, this one among them or not: what the transcript says of their results is not true. */
  readonly neverHanded: readonly string[];
  /** Whether it is the last one: then the turn goes on behind it. Else the process ends its part behind the call's result. */
  readonly last: boolean;
}

/** One prompt, ready to be written. */
export interface AgentPrompt {
  /**
   * A UUID: the driver matches the output of the turn by it and never sends the same one twice. It is the uuid of the entry
   * that stands for the prompt in the transcript.
   */
  readonly promptId: string;
  readonly content: PromptContent;
  /** The model of this turn; absent means the session's. */
  readonly model?: string;
  /** What the operator adds to the system prompt, from this turn on: a part of the conversation, so a resume has it too. */
  readonly system?: string;
  /**
   * Who answers when a call waits for leave, or is one of a client's tool. `client`: the turn waits, as `answers_awaited` tells, until
   * {@link AgentProcess.answer}. `nobody` (default): the {@link Answerer} decides at once.
   */
  readonly answers?: 'client' | 'nobody';
}

/** What comes out of a turn, in order. The last one, and only the last, is `ended`. */
export type AgentOutput =
  /** The process has taken the prompt: it is alive. Ends the phase `awaiting-first-message`. */
  | { readonly kind: 'accepted' }
  /** A sign of life that carries nothing (never an upstream ping). */
  | { readonly kind: 'activity' }
  | { readonly kind: 'event'; readonly body: SessionEvent; readonly detail: EventDetail }
  | { readonly kind: 'preview'; readonly preview: Preview }
  /** A tool of the agent has begun or ended to run; the phase `tool` is between them. */
  | { readonly kind: 'tool_started' | 'tool_finished'; readonly toolUseId: string }
  /** The agent waits for an answerer; the phase `awaiting-client` is between them. */
  | { readonly kind: 'answer_awaited' | 'answer_given'; readonly requestId: string }
  /**
   * Nothing goes on before the client has answered; all calls that it is asked about, also those of an earlier such output
   * that have no answer. The transcript up to these calls is in the store, so the process may be taken.
   */
  | { readonly kind: 'answers_awaited'; readonly toolUseIds: readonly string[] }
  /** The transcript in the store lacks entries that the process has written; see {@link AgentDriver.rescueTranscript}. */
  | { readonly kind: 'transcript_stale'; readonly error: string }
  | { readonly kind: 'ended'; readonly end: TurnEnd; readonly processUsable: boolean };

/** How a process came to its end. */
export interface AgentExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last of what it wrote on stderr, at most 4 KiB, without secrets. */
  readonly stderrTail: string;
  /** Why we ended it; absent when it ended by itself. */
  readonly reason?: string;
  /** Whether its folder holds transcript entries that the store lacks; then the folder must stay until they are rescued. */
  readonly transcriptStale: boolean;
}

/** What a driver can do beyond the contract's minimum. */
export interface AgentCapabilities {
  /** Options that {@link AgentProcess.change} can change without a new process. */
  readonly liveOptions: readonly (keyof AgentOptions)[];
  /** Whether a process can be started before it is known which folder it works in. */
  readonly lateWorkspace: boolean;
}

/** What a process is given that was started without a folder. */
export interface AgentBinding {
  /** The folder the agent works in: absolute, exists. */
  readonly workspace: string;
}

/** Which part of a conversation becomes another one. */
export interface TranscriptFork {
  /** The agent's id of the conversation that goes on as it is. */
  readonly from: string;
  /** The agent's id of the new one; nobody uses it yet. */
  readonly to: string;
  /** Ids of the prompts that the new one must not know, nor anything after them, in their order; `[]` takes everything. */
  readonly before: readonly string[];
}

/** Starts agent processes. Every failure is a `RoundhouseError`: `agent_unavailable`, `session_connection_failed`. */
export interface AgentDriver {
  readonly name: string;
  readonly capabilities: AgentCapabilities;
  /** Tells what would be started now: another text than before means a newer agent, and processes started before are old. */
  generation(): Promise<string>;
  /**
   * Starts a process and waits until it can take a prompt. Aborting `signal` ends the start, and the process, at once.
   * A start that fails leaves no process behind.
   */
  start(spec: AgentSpec, signal: AbortSignal): Promise<AgentProcess>;
  /**
   * Imports what a process wrote in its folder and the store lacks: after `transcript_stale`, or when the host died with
   * the process. The process must be gone, and its folder still there, also over a restart of the host. Takes nothing away,
   * and may be repeated.
   */
  rescueTranscript(
    processFolder: string,
    agentSessionId: string,
    transcripts: TranscriptStore,
  ): Promise<void>;
  /** Writes a transcript that stands for `history`, under `agentSessionId`, so that a start with `resume` takes it up. */
  seedTranscript(
    agentSessionId: string,
    history: readonly SeedMessage[],
    transcripts: TranscriptStore,
  ): Promise<void>;
  /**
   * Writes the beginning of a conversation under another id, so that a start with `resume` knows exactly that. Prompts that
   * left nothing in the transcript are passed over. Takes nothing from the first, whose process may run. May be repeated:
   * the last call counts.
   */
  forkTranscript(fork: TranscriptFork, transcripts: TranscriptStore): Promise<void>;
  /**
   * The calls of the last message of a transcript that have no result, in their order: what a turn whose process has gone
   * still has to do. What it says of results of `neverHanded` is not true: an agent whose host dies makes some up.
   */
  openCalls(
    agentSessionId: string,
    transcripts: TranscriptStore,
    neverHanded: readonly string[],
  ): Promise<readonly OpenCall[]>;
}

/** One live process, bound to one session for ever. */
export interface AgentProcess {
  readonly clientId: string;
  /** The operating system's id, where there is one. */
  readonly pid: number | undefined;
  /** Settles, never rejects, when the process and everything it started are gone. */
  readonly exited: Promise<AgentExit>;
  /** Whether a prompt can be written now; to one that waits for its workspace, once it is bound. */
  readonly alive: boolean;
  /**
   * Gives a process that was started without a workspace the folder it works in: once, before its first prompt. Rejects
   * with `session_connection_failed` when the agent does not take it, or when `signal` aborts; the process is gone then.
   */
  bind(binding: AgentBinding, signal: AbortSignal): Promise<void>;
  /**
   * Runs one turn. One at a time: a second call before the first has ended throws. Each element is what has come since the
   * one before, in order and never empty, so that a burst of deltas costs one wait and not one each. The iterable always
   * ends with `ended`, whatever happens to the process; leaving it early does not end the turn.
   */
  prompt(prompt: AgentPrompt): AsyncIterable<readonly AgentOutput[]>;
  /**
   * Gives a call of the running turn its answer, if it has none yet: one that `answers_awaited` has named, in any order.
   * Nothing happens when no such call waits.
   */
  answer(toolUseId: string, answer: CallAnswer): void;
  /**
   * The turn that a process started with {@link AgentSpec.takeUp} goes on with, by itself, from its start. Like
   * {@link AgentProcess.prompt}, once, before any prompt.
   */
  takeUp(answers: 'client' | 'nobody'): AsyncIterable<readonly AgentOutput[]>;
  /**
   * Spends time now on making the first answer faster, for whoever prepares a process ahead of its prompt. Never rejects;
   * a prompt need not wait for it. Absent where there is nothing to gain.
   */
  warmUp?(): Promise<void>;
  /** Asks the running turn to end; settles when the request was taken. The turn ends through its own output. */
  interrupt(): Promise<void>;
  /** Changes options that the driver calls live. Rejects with `unsupported_field` for any other. */
  change(options: AgentOptions): Promise<void>;
  /** Resident memory in bytes, or undefined where it can't be told. */
  memoryBytes(): Promise<number | undefined>;
  /**
   * Ends the process in good order; settles when it is gone, with everything that it started. A turn that waits for its
   * client's answers is left as it stands, for another process to take up. No method may be called afterwards.
   */
  close(): Promise<AgentExit>;
  /** Ends it at once, whatever it does. The first reason wins. */
  destroy(reason: string): Promise<AgentExit>;
}
