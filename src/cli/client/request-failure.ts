import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  AuthenticationError,
} from '@anthropic-ai/sdk';

import type { Connection } from './connection.ts';
import { CLIENT_KEY_ENV } from '../../config/environment-names.ts';
import { failureText } from '../failure.ts';
import { SessionTimeout } from './new-session.ts';
import { typedCommand } from '../context.ts';
import { withoutSecrets } from '../output/without-secrets.ts';

/** Why a request came to nothing, in words for a person: what, and the next step. Never the key, never a stack trace. */
export function requestFailure(
  error: unknown,
  { url, key }: Pick<Connection, 'url' | 'key'>,
): string {
  return withoutSecrets(words(error, url), key);
}

function words(error: unknown, url: string): string {
  if (error instanceof SessionTimeout) return error.message;
  if (error instanceof APIConnectionTimeoutError) {
    return `The server at ${url} did not answer in time. Look at its log, or try again.`;
  }
  if (error instanceof APIConnectionError) {
    return `No server answers at ${url}: start one with \`${typedCommand('serve')}\`, or name another with --url.`;
  }
  if (!(error instanceof APIError)) return failureText(error);
  const message = wireMessage(error);
  if (message === undefined) {
    return `${url} answered with HTTP ${error.status ?? '?'}, and not as this API does: is it a Roundhouse server?`;
  }
  return error instanceof AuthenticationError
    ? `${message} Name a key of the server with --key or ${CLIENT_KEY_ENV}.`
    : message;
}

/** The message within an error body of the Anthropic API. */
export function wireMessage(error: APIError): string | undefined {
  const body: unknown = error.error;
  const inner: unknown =
    isObject(body) && isObject(body['error']) ? body['error']['message'] : undefined;
  return typeof inner === 'string' ? inner : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
