import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { sessionAnswer } from '../../../dialects/managed-agents/session-answer.ts';
import { toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { beta } from '../../page-query.ts';
import { parseQuery } from '../../query.ts';
import { managedSessionParams } from './params.ts';
import type { ManagedSessionParams } from './params.ts';

const querySchema = z.strictObject(beta);

const OPERATION: Operation = {
  id: 'getManagedSession',
  tag: 'Sessions',
  summary: 'Retrieve a session',
  description: 'What it was made of, what it does, and what it has cost.',
  params: managedSessionParams,
  query: querySchema,
  answers: { 200: { description: 'The session.', schema: sessionAnswer } },
  errors: ['not_found'],
};

/** `GET /v1/sessions/:sessionId`: what it was made of, what it does, and what it has cost. */
export function readManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.get<ManagedSessionParams>(
    '/v1/sessions/:sessionId',
    described(OPERATION),
    async (request) => {
      parseQuery(querySchema, request.query);
      return toSession(await catalog.sessions.view(request.tenant, request.params.sessionId));
    },
  );
}
