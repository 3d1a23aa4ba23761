import type { FastifyInstance } from 'fastify';
import { RoundhouseError } from '../../../errors.ts';
import { described, type Operation } from '../../openapi/operation.ts';

const OPERATION: Operation = {
  id: 'countTokens',
  tag: 'Messages',
  summary: 'Not offered: count tokens',
  description:
    'Always 404: an agent adds its own prompt, tools and history, so the number would be wrong.',
  answers: {},
  errors: ['not_found'],
};

/** `POST /v1/messages/count_tokens`: not offered, and said so. What an agent sends to the model is more than the request. */
export function countTokensRoute(app: FastifyInstance): void {
  app.post('/v1/messages/count_tokens', described(OPERATION), () => {
    throw new RoundhouseError(
      'not_found',
      'This server counts no tokens: an agent adds its own prompt, tools and history to a request. POST /v1/messages tells the usage of a turn.',
    );
  });
}
