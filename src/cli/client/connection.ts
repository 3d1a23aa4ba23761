import Anthropic from '@anthropic-ai/sdk';

import type { CliContext } from '../context.ts';
import { CLIENT_KEY_ENV } from '../../config/environment-names.ts';
import { serverUrl } from './server-url.ts';
import { UsageError } from '../usage-error.ts';

/** Until the headers of an answer are there. The server starts nothing for any of the requests that this is for. */
const ANSWER_TIMEOUT_MS = 60_000;
/** A header must be sent; a server without keys takes any. */
const NO_KEY = 'none';
/** What a header can hold, and no blank: anything else would be told, with the key in it, by whoever builds the header. */
const KEY_FORM = /^[\x21-\x7e]+$/;

/** Flags of every command that talks with a server. */
export interface ClientFlags {
  readonly url?: string;
  readonly key?: string;
  /** One JSON document on stdout, or JSON lines where it goes on, and nothing else. */
  readonly json?: boolean;
}

/** Whom a command talks with. */
export interface Connection {
  /** Without a slash at the end. */
  readonly url: string;
  /** Undefined means none. Never shown. */
  readonly key: string | undefined;
  readonly client: Anthropic;
}

/** What the official client is made with. */
export interface ClientParts {
  readonly url: string;
  readonly key: string | undefined;
  readonly env: CliContext['env'];
  /** Default {@link ANSWER_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
  /** Default 0: a request that was not answered may have been heard, and a person sees the failure at once. */
  readonly maxRetries?: number;
}

/** Finds the server and the key; sends nothing. Throws {@link UsageError} for what can be neither. */
export async function connect(flags: ClientFlags, context: CliContext): Promise<Connection> {
  const key = checkedKey(flags.key ?? context.env[CLIENT_KEY_ENV]);
  const url = await serverUrl(flags.url, context);
  return { url, key, client: createClient({ url, key, env: context.env }) };
}

/** The key as it was given, or undefined where there is none. The message of its refusal does not show it. */
export function checkedKey(key: string | undefined): string | undefined {
  if (key === undefined || key === '') return undefined;
  if (KEY_FORM.test(key)) return key;
  throw new UsageError(
    `The key (--key or ${CLIENT_KEY_ENV}): expected printable ASCII characters without a blank, got others. It is not shown here.`,
  );
}

/** The official client, pointed at a server of ours and at nothing else. */
export function createClient(parts: ClientParts): Anthropic {
  const { url, key = NO_KEY, env, timeoutMs = ANSWER_TIMEOUT_MS, maxRetries = 0 } = parts;
  return new Anthropic({
    baseURL: url,
    // Given here, so that the client does not take the user's own credential from the environment and send it there.
    apiKey: key,
    defaultHeaders: withoutCustomHeaders(env, key),
    maxRetries,
    timeout: timeoutMs,
    // The client would write its log, with what it sends, where answers belong.
    logLevel: 'off',
  });
}

/** Headers that the environment holds for the real API are none of this server's business: they are taken out again. */
function withoutCustomHeaders(env: CliContext['env'], key: string): Record<string, string | null> {
  // Taking these out would take ours out with them.
  const own: Record<string, string> = { authorization: `Bearer ${key}`, 'x-api-key': key };
  const headers: Record<string, string | null> = {};
  for (const line of (env['ANTHROPIC_CUSTOM_HEADERS'] ?? '').split('\n')) {
    const name = line.split(':')[0]?.trim() ?? '';
    if (name !== '') headers[name] = own[name.toLowerCase()] ?? null;
  }
  return headers;
}
