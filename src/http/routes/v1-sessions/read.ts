import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { beta } from '../../page-query.ts';
import { parseQuery } from '../../query.ts';
import type { ManagedSessionParams } from './params.ts';

const querySchema = z.strictObject(beta);

/** `GET /v1/sessions/:sessionId`: what it was made of, what it does, and what it has cost. */
export function readManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.get<ManagedSessionParams>('/v1/sessions/:sessionId', async (request) => {
    parseQuery(querySchema, request.query);
    return toSession(await catalog.sessions.view(request.tenant, request.params.sessionId));
  });
}
