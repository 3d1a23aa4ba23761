import type { FastifyInstance } from 'fastify';
import { RoundhouseError } from '../../../errors.ts';
import type { AppDependencies } from '../../deps.ts';

/**
 * `POST /admin/drain`: begins what SIGTERM begins, and answers 202 at once. Calling it again changes nothing. With keys,
 * only one with `admin: true` may; `forbidden` otherwise. Not there when the app has nobody who drains.
 */
export function drainRoute(app: FastifyInstance, { drain }: AppDependencies): void {
  if (drain === undefined) return;
  app.post('/admin/drain', (request, reply) => {
    if (!request.admin) {
      throw new RoundhouseError(
        'forbidden',
        'This key may not drain the server: expected one with admin: true in server.keys.',
      );
    }
    return reply.code(202).send({ draining: true, ...drain() });
  });
}
