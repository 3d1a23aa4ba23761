import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { ClientGone } from './client-presence.ts';
import { sendFailure } from './send-failure.ts';

/** The errors that are in the log when a handler has thrown. */
async function loggedFor(thrown: Error): Promise<string[]> {
  const errors: string[] = [];
  const log = { ...NO_TELEMETRY.log, error: (event: string) => errors.push(event) };
  const app = fastify();
  app.setErrorHandler((error, request, reply) => sendFailure(log, request, reply, error));
  app.get('/', () => Promise.reject(thrown));
  expect((await app.inject('/')).statusCode).toBe(500);
  await app.close();
  return errors;
}

test('a defect is in the log, and that a client has gone is none', async () => {
  expect(await loggedFor(new Error('a defect'))).toEqual(['http_error']);
  expect(await loggedFor(new ClientGone())).toEqual([]);
});
