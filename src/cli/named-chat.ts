import { APIConnectionError, AuthenticationError } from '@anthropic-ai/sdk';
import type Anthropic from '@anthropic-ai/sdk';

import { createClient } from './client/connection.ts';
import { requestFailure } from './client/request-failure.ts';

/** The server bounds a turn; the client only has to outlast it. A day. */
const TIMEOUT_MS = 86_400_000;
const MAX_TOKENS = 32_000;
/** A header must be sent; a server without keys takes any. */
const NO_KEY = 'none';

/** Whom to talk with. */
export interface ChatConnectionOptions {
  /** Without a slash at the end. */
  readonly url: string;
  readonly key: string | undefined;
  readonly session: string;
  /** Undefined means the first that the server offers. */
  readonly model: string | undefined;
  /** The folder that a new session works in: absolute, on the server's machine. Undefined: one of its own. */
  readonly workspace: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Something went wrong, in words for a person. */
export class ChatFailure extends Error {
  override readonly name = 'ChatFailure';
  /** Whether the next prompt would fail as well. */
  readonly final: boolean;

  constructor(message: string, final: boolean, cause: unknown) {
    super(message, { cause });
    this.final = final;
  }
}

/** One session of a server, through the official client of the Anthropic API. Failures are {@link ChatFailure}s. */
export class ChatConnection {
  readonly model: string;
  readonly #client: Anthropic;
  readonly #options: ChatConnectionOptions;

  private constructor(options: ChatConnectionOptions, model: string) {
    this.#options = options;
    this.#client = clientAt(options, `/sessions/${encodeURIComponent(options.session)}`);
    this.model = model;
  }

  /** Asks the server for its models, which shows whether it is there and takes the key. */
  static async open(options: ChatConnectionOptions): Promise<ChatConnection> {
    try {
      const { data } = await clientAt(options, '').models.list();
      return new ChatConnection(options, options.model ?? data[0]?.id ?? 'default');
    } catch (error) {
      throw failure(error, options);
    }
  }

  /** Runs one turn; `onText` gets the answer piece by piece. Aborting leaves the turn alone and stops listening. */
  async prompt(text: string, onText: (text: string) => void, signal: AbortSignal): Promise<void> {
    try {
      const stream = this.#client.messages.stream(
        {
          model: this.model,
          max_tokens: MAX_TOKENS,
          messages: [{ role: 'user', content: text }],
        },
        { signal, headers: workspaceHeader(this.#options.workspace) },
      );
      stream.on('text', onText);
      await stream.done();
    } catch (error) {
      throw failure(error, this.#options);
    }
  }

  /** Ends the running turn; the session stays. */
  async interrupt(): Promise<void> {
    const { url, session, key = NO_KEY } = this.#options;
    const response = await fetch(`${url}/sessions/${encodeURIComponent(session)}/interrupt`, {
      method: 'POST',
      headers: { 'x-api-key': key },
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`The interrupt was refused (HTTP ${response.status}).`);
  }
}

/** Headers take bytes; the server reads them as UTF-8. */
function workspaceHeader(workspace: string | undefined): Record<string, string> {
  if (workspace === undefined) return {};
  return { 'x-workspace': Buffer.from(workspace, 'utf8').toString('latin1') };
}

function clientAt({ url, key, env }: ChatConnectionOptions, path: string): Anthropic {
  return createClient({ url: `${url}${path}`, key, env, timeoutMs: TIMEOUT_MS, maxRetries: 1 });
}

function failure(error: unknown, options: ChatConnectionOptions): ChatFailure {
  const final = error instanceof APIConnectionError || error instanceof AuthenticationError;
  return new ChatFailure(requestFailure(error, options), final, error);
}
