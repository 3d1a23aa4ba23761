import type { FastifyInstance } from 'fastify';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams, type ManagedSessionParams } from '../v1-sessions/params.ts';

const OPERATION: Operation = {
  id: 'rewindSession',
  tag: 'Extensions',
  summary: 'Bring back files of a session',
  description: 'Not supported: always refused, with what to do instead.',
  params: managedSessionParams,
  answers: {},
  errors: ['not_found', 'unsupported_field'],
};

/** `POST /v1/sessions/:sessionId/roundhouse/rewind`: refused by name, so that nobody takes it for a missing route. */
export function rewindSessionRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.post<ManagedSessionParams>(
    '/v1/sessions/:sessionId/roundhouse/rewind',
    described(OPERATION),
    async (request) => catalog.extensions.rewind(request.tenant, request.params.sessionId),
  );
}
