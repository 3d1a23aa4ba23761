/** The agent asks whether it may run a tool. */
export interface PermissionRequest {
  readonly sessionId: string;
  readonly turnId: string | null;
  readonly toolUseId: string;
  readonly toolName: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export type PermissionDecision =
  | { readonly behavior: 'allow'; readonly updatedInput?: Record<string, unknown> }
  /** `message` is shown to the model. */
  | { readonly behavior: 'deny'; readonly message: string };

/** The agent calls a tool that lives with the client. */
export interface ClientToolCall {
  readonly sessionId: string;
  readonly turnId: string | null;
  readonly toolUseId: string;
  readonly toolName: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export interface ClientToolResult {
  readonly content: readonly Readonly<Record<string, unknown>>[];
  readonly isError: boolean;
}

/** What a call that waits for its client comes to: leave or none; or, of a tool that lives with the client, its result. */
export type CallAnswer =
  | PermissionDecision
  | { readonly behavior: 'result'; readonly result: ClientToolResult };

/**
 * What a permission request or a client-tool call comes to. It answers now, later or never; `signal` aborts when the turn
 * ends first. A rejection counts as a denial.
 */
export interface Answerer {
  decide(request: PermissionRequest, signal: AbortSignal): Promise<PermissionDecision>;
  callTool(call: ClientToolCall, signal: AbortSignal): Promise<ClientToolResult>;
}
