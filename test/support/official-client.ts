import Anthropic from '@anthropic-ai/sdk';

export interface ClientOptions {
  /** Sent as `x-session-id` with every request. */
  readonly session?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  /** Default 0: a test sees each failure. */
  readonly maxRetries?: number;
  /** In the place of the global one. */
  readonly fetch?: typeof fetch;
}

/** The official client, unchanged, pointed at a server. */
export function officialClient(url: string, options: ClientOptions = {}): Anthropic {
  const { session, headers = {}, key = 'unused', maxRetries = 0, fetch } = options;
  return new Anthropic({
    baseURL: url,
    apiKey: key,
    authToken: null,
    maxRetries,
    ...(fetch !== undefined && { fetch }),
    defaultHeaders: { ...headers, ...(session !== undefined && { 'x-session-id': session }) },
  });
}

/** The parameters of one prompt. */
export function prompt(
  text: string | Anthropic.ContentBlockParam[],
  more: Partial<Anthropic.MessageCreateParamsNonStreaming> = {},
): Anthropic.MessageCreateParamsNonStreaming {
  return {
    model: 'sonnet',
    max_tokens: 1024,
    messages: [{ role: 'user', content: text }],
    ...more,
  };
}

/** The text blocks of an answer, joined. */
export function textOf(message: Anthropic.Message): string {
  return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}

/** Asks a session of a server and gives the answer's text. */
export async function askServer(url: string, session: string, text: string): Promise<string> {
  return textOf(await officialClient(url, { session }).messages.create(prompt(text)));
}
