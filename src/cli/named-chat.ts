import type Anthropic from '@anthropic-ai/sdk';

import { chatFailure } from './chat-failure.ts';
import type { ChatLink, TurnView } from './chat-link.ts';
import { createClient } from './client/connection.ts';

/** The server bounds a turn; the client only has to outlast it. A day. */
const TIMEOUT_MS = 86_400_000;
const MAX_TOKENS = 32_000;
/** A header must be sent; a server without keys takes any. */
const NO_KEY = 'none';

/** Whom to talk with. */
export interface NamedChatOptions {
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

/** A session that its caller has named, through the Messages API. Nothing waits for leave there. */
export class NamedChat implements ChatLink {
  readonly model: string;
  readonly session: string;
  readonly #client: Anthropic;
  readonly #options: NamedChatOptions;

  private constructor(options: NamedChatOptions, model: string) {
    this.#options = options;
    this.#client = clientAt(options, `/sessions/${encodeURIComponent(options.session)}`);
    this.model = model;
    this.session = options.session;
  }

  /** Asks the server for its models, which shows whether it is there and takes the key. */
  static async open(options: NamedChatOptions): Promise<NamedChat> {
    try {
      const { data } = await clientAt(options, '').models.list();
      return new NamedChat(options, options.model ?? data[0]?.id ?? 'default');
    } catch (error) {
      throw chatFailure(error, options);
    }
  }

  takeUp(): Promise<'none'> {
    return Promise.resolve('none');
  }

  async prompt(text: string, { onText, signal }: TurnView): Promise<'done'> {
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
      onText('\n');
      return 'done';
    } catch (error) {
      throw chatFailure(error, this.#options);
    }
  }

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

function clientAt({ url, key, env }: NamedChatOptions, path: string): Anthropic {
  return createClient({ url: `${url}${path}`, key, env, timeoutMs: TIMEOUT_MS, maxRetries: 1 });
}
