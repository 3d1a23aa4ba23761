import type { ClientToolResult } from './answerer.ts';

/** A tool that lives with the client: the agent calls it, somebody else runs it. */
export interface ClientTool {
  /** 1 to 128 letters, digits, `_` or `-`; distinct within an agent. */
  readonly name: string;
  readonly description: string;
  /** A JSON Schema of an object. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** The agent calls a client tool with an input that its schema allows. */
export interface ToolCall {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The agent's id of the call; the same one when a later process takes the call up again. */
  readonly toolUseId: string;
}

/**
 * What a call comes to: it answers now, in hours, or never. `signal` aborts when nobody waits for the answer any more: the
 * process is gone, it has given the call up, or the tools were closed. A rejection is shown to the model as a failure
 * without its reason.
 */
export type ToolCallHandler = (call: ToolCall, signal: AbortSignal) => Promise<ClientToolResult>;

/** The tools of one process, as it reaches them. */
export interface OpenedTools {
  /** An HTTP MCP server on this machine's loopback. */
  readonly url: string;
  /** What proves to it who calls: for this process only, and a secret. It must not stand on a command line. */
  readonly token: string;
  /**
   * What is wrong with the input of a call, in words for the model; undefined when it may reach the client. Such a call is
   * answered by the endpoint itself, and the handler never hears of it.
   */
  problemOf(name: string, input: unknown): string | undefined;
  /** Takes the tools away: the token is worth nothing, and what is held ends. May be called twice. */
  close(): void;
}

/** Where agent processes reach the tools of their clients. */
export interface ToolEndpoint {
  /**
   * Offers tools to one process. Calls may be held without limit, so many at once as {@link MAX_HELD_CALLS} says; one more is
   * answered as a failure. Rejects with `session_connection_failed` when it can't listen, or is closed.
   */
  open(tools: readonly ClientTool[], handler: ToolCallHandler): Promise<OpenedTools>;
  /** Why a tool can't be offered (its schema is none), or undefined. */
  problemOf(tool: ClientTool): Promise<string | undefined>;
  /** Closes everything that is open, and the endpoint itself. May be called twice; nothing can be opened afterwards. */
  close(): Promise<void>;
}

/** Calls of one process that may be held at once. */
export const MAX_HELD_CALLS = 64;
