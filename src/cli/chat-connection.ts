import Anthropic, { APIConnectionError, APIError, AuthenticationError } from '@anthropic-ai/sdk';

import { typedCommand } from './context.ts';

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
    this.#client = createClient(options, `/sessions/${encodeURIComponent(options.session)}`);
    this.model = model;
  }

  /** Asks the server for its models, which shows whether it is there and takes the key. */
  static async open(options: ChatConnectionOptions): Promise<ChatConnection> {
    try {
      const { data } = await createClient(options, '').models.list();
      return new ChatConnection(options, options.model ?? data[0]?.id ?? 'default');
    } catch (error) {
      throw failure(error, options.url);
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
      throw failure(error, this.#options.url);
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

function createClient({ url, key, env }: ChatConnectionOptions, path: string): Anthropic {
  return new Anthropic({
    baseURL: `${url}${path}`,
    // Given here, so that the client does not take the user's own credential from the environment and send it there.
    apiKey: key ?? NO_KEY,
    defaultHeaders: withoutCustomHeaders(env, key ?? NO_KEY),
    maxRetries: 1,
    timeout: TIMEOUT_MS,
  });
}

/** Headers that the environment holds for the real API are none of this server's business: they are taken out again. */
function withoutCustomHeaders(
  env: Readonly<Record<string, string | undefined>>,
  key: string,
): Record<string, string | null> {
  // Taking these out would take ours out with them.
  const own: Record<string, string> = { authorization: `Bearer ${key}`, 'x-api-key': key };
  const headers: Record<string, string | null> = {};
  for (const line of (env['ANTHROPIC_CUSTOM_HEADERS'] ?? '').split('\n')) {
    const name = line.split(':')[0]?.trim() ?? '';
    if (name !== '') headers[name] = own[name.toLowerCase()] ?? null;
  }
  return headers;
}

function failure(error: unknown, url: string): ChatFailure {
  if (error instanceof APIConnectionError) {
    const message = `No server answers at ${url}: start one with \`${typedCommand('serve')}\`, or name another with --url.`;
    return new ChatFailure(message, true, error);
  }
  if (error instanceof AuthenticationError) {
    return new ChatFailure(
      `${wireMessage(error)} Name a key of the server with --key.`,
      true,
      error,
    );
  }
  const text = error instanceof APIError ? wireMessage(error) : String(error);
  return new ChatFailure(text, false, error);
}

/** The message within an error body of the Anthropic API, else the client's own. */
function wireMessage(error: APIError): string {
  const body: unknown = error.error;
  const inner: unknown =
    isObject(body) && isObject(body['error']) ? body['error']['message'] : undefined;
  return typeof inner === 'string' ? inner : error.message;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
