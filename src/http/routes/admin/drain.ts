import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { RoundhouseError } from '../../../errors.ts';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';

const OPERATION: Operation = {
  id: 'drain',
  tag: 'Server',
  summary: 'Begin the end of the server',
  description:
    'Running turns may finish, new ones are refused. With keys, for those with `admin: true`.',
  answers: {
    202: {
      description: 'It has begun, now or before.',
      schema: z.object({
        draining: z.literal(true),
        deadlineMs: z.number().min(0).describe('How long turns may run, from the beginning.'),
      }),
    },
  },
};

/**
 * `POST /admin/drain`: begins what SIGTERM begins, and answers 202 at once. Calling it again changes nothing. With keys,
 * only one with `admin: true` may; `forbidden` otherwise. Not there when the app has nobody who drains.
 */
export function drainRoute(app: FastifyInstance, { drain }: AppDependencies): void {
  if (drain === undefined) return;
  app.post('/admin/drain', described(OPERATION), (request, reply) => {
    if (!request.admin) {
      throw new RoundhouseError(
        'forbidden',
        'This key may not drain the server: expected one with admin: true in server.keys.',
      );
    }
    return reply.code(202).send({ draining: true, ...drain() });
  });
}
