import { createHash, timingSafeEqual } from 'node:crypto';

import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv-provider.js';
import type { CallToolResult, RequestId } from '@modelcontextprotocol/sdk/types.js';

import {
  MAX_HELD_CALLS,
  type ClientTool,
  type ToolCallHandler,
} from '../contracts/tool-endpoint.ts';
import { errorText } from '../errors.ts';
import { unlessAborted } from '../time/deadline.ts';
import { checkedSchema } from './input-schema.ts';
import { failure, toMcpResult } from './mcp-result.ts';

/** What is wrong with an input, or undefined. */
type Check = (input: unknown) => string | undefined;

/** A call as it came in, not yet known to be one that a client may see. */
export interface IncomingCall {
  readonly requestId: RequestId;
  readonly name: string;
  readonly input: Record<string, unknown>;
  readonly toolUseId: unknown;
  /** Aborts when the connection that the call came by is gone. */
  readonly signal: AbortSignal;
}

export interface OfferedToolsParts {
  /** Of the token that proves who calls; the token itself is not kept. */
  readonly digest: Buffer;
  readonly tools: readonly ClientTool[];
  readonly handler: ToolCallHandler;
  readonly onClose: (offered: OfferedTools) => void;
}

/** The tools of one process: who may call them, and the calls that are held. */
export class OfferedTools {
  readonly tools: readonly ClientTool[];
  readonly #parts: OfferedToolsParts;
  /** Compiled when a tool is called for the first time: most are not. */
  readonly #checks = new Map<string, Check>();
  readonly #held = new Map<RequestId, AbortController>();
  #closed = false;

  constructor(parts: OfferedToolsParts) {
    this.#parts = parts;
    this.tools = parts.tools;
  }

  /** Whether a token is the one of these tools; the same time passes whatever it is. */
  accepts(digest: Buffer): boolean {
    return timingSafeEqual(this.#parts.digest, digest);
  }

  /** What is wrong with the input of a call, for the model; undefined when it may reach the client. */
  problemOf(name: string, input: unknown): string | undefined {
    const tool = this.tools.find((each) => each.name === name);
    if (tool === undefined) return `There is no tool ${name}.`;
    let check = this.#checks.get(name);
    if (check === undefined) this.#checks.set(name, (check = inputCheck(tool)));
    const problem = check(input);
    return problem === undefined
      ? undefined
      : `The input does not follow the schema of ${name}: ${problem}. Call it again with one that does.`;
  }

  /** Hands a call to whoever answers it, and waits as long as it takes. Never rejects: a failure is a result for the model. */
  async call({ requestId, name, input, toolUseId, signal }: IncomingCall): Promise<CallToolResult> {
    const problem = this.problemOf(name, input);
    if (problem !== undefined) return failure(problem);
    if (typeof toolUseId !== 'string' || toolUseId === '')
      return failure('The call has no id, so nobody could be asked.');
    if (this.#closed) return failure('The tools are not offered any more.');
    if (this.#held.size >= MAX_HELD_CALLS)
      return failure(`There are ${MAX_HELD_CALLS} calls without an answer; wait for one of them.`);
    const over = new AbortController();
    const signals = AbortSignal.any([signal, over.signal]);
    this.#held.set(requestId, over);
    try {
      // A handler may ignore the signal.
      const answer = this.#parts.handler({ name, input, toolUseId }, signals);
      return toMcpResult(await unlessAborted(answer, signals));
    } catch {
      // The handler's own business to tell the operator; the model needs no detail of a defect.
      return failure(
        signals.aborted ? 'The call was given up before its answer.' : 'The call has failed.',
      );
    } finally {
      if (this.#held.get(requestId) === over) this.#held.delete(requestId);
    }
  }

  /** The process has given a call up. */
  cancel(requestId: RequestId): void {
    this.#held.get(requestId)?.abort(new Error('The agent has given the call up.'));
  }

  /** Ends what is held. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.onClose(this);
    for (const over of this.#held.values()) over.abort(new Error('The tools were closed.'));
  }
}

/** SHA-256 of a token, which is random: it needs no salt. */
export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Why a tool's schema can't be used, or undefined. */
export function schemaProblem({ inputSchema }: ClientTool): string | undefined {
  try {
    compile(inputSchema);
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

function inputCheck({ inputSchema }: ClientTool): Check {
  try {
    return compile(inputSchema);
  } catch (error) {
    const problem = `the schema itself can not be used (${errorText(error)})`;
    return () => problem;
  }
}

/** A validator of its own for each: one remembers schemas by their `$id`, which may be anybody's. */
function compile(schema: ClientTool['inputSchema']): Check {
  const validate = new AjvJsonSchemaValidator().getValidator(checkedSchema(schema));
  return (input) => validate(input).errorMessage;
}
