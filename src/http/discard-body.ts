import type { FastifyReply, FastifyRequest } from 'fastify';
import { after } from '../time/timers.ts';

/** How long a client may go on sending a body that has been refused. */
const DISCARD_MS = 10_000;

/**
 * Lets the client of a refused body read why. Fastify would close the connection under it while it sends, which resets it
 * before the answer is read; so the connection stays, and Node throws the rest of the body away, for a limited time.
 */
export function discardBody(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request;
  reply.removeHeader('connection');
  after(DISCARD_MS, () => {
    if (!raw.complete) raw.destroy();
  });
}
