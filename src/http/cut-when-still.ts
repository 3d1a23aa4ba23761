import type { FastifyReply } from 'fastify';

/**
 * Cuts the connection when nothing has come or gone on it for `maxMs`, until the answer has ended: a client that is gone
 * without a word would hold a file open for ever. On the socket's own timer, which knows of both directions.
 */
export function cutWhenStill({ raw }: FastifyReply, maxMs: number): void {
  raw.setTimeout(maxMs, () => raw.destroy());
}
