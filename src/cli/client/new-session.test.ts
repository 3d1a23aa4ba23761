import { expect, test } from 'vitest';
import Anthropic, { APIConnectionTimeoutError } from '@anthropic-ai/sdk';
import { newSession } from './new-session.ts';
import { requestFailure } from './request-failure.ts';

const SERVER = { url: 'http://127.0.0.1:8787', key: undefined };

/** A client whose requests take too long. */
const client = new Anthropic({
  apiKey: 'none',
  baseURL: SERVER.url,
  maxRetries: 0,
  logLevel: 'off',
  fetch: () => Promise.reject(new Error('The request timed out.')),
});

test('a session that is not made in time is told of as such, and any other request that takes too long is not', async () => {
  const made = newSession(client, { agent: 'agent_1', environment_id: 'env_1' });
  const failure: unknown = await made.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(APIConnectionTimeoutError);
  expect(requestFailure(failure, SERVER)).toMatch(/^No session was made within 180 s, .* clone/);
  const other: unknown = await client.beta.sessions
    .retrieve('sesn_1')
    .catch((error: unknown) => error);
  expect(requestFailure(other, SERVER)).toContain('did not answer in time');
});
