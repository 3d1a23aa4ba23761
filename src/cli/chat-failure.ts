import { APIConnectionError, AuthenticationError } from '@anthropic-ai/sdk';

import { ChatFailure } from './chat-link.ts';
import type { Connection } from './client/connection.ts';
import { requestFailure } from './client/request-failure.ts';

/** A failed request of a chat. Without a server, or a key that it takes, the next prompt would fail as well. */
export function chatFailure(
  error: unknown,
  connection: Pick<Connection, 'url' | 'key'>,
): ChatFailure {
  if (error instanceof ChatFailure) return error;
  const final = error instanceof APIConnectionError || error instanceof AuthenticationError;
  return new ChatFailure(requestFailure(error, connection), final, error);
}
