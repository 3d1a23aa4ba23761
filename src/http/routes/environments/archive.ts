import type { FastifyInstance } from 'fastify';
import { environmentAnswer } from '../../../dialects/managed-agents/environment-answer.ts';
import { toEnvironment } from '../../../dialects/managed-agents/environments.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { environmentParams } from './params.ts';
import type { EnvironmentParams } from './params.ts';

const OPERATION: Operation = {
  id: 'archiveEnvironment',
  tag: 'Environments',
  summary: 'Archive an environment',
  description:
    'For good: it can not be changed any more, and nothing new begins in it. Archived again it stays as it is.',
  params: environmentParams,
  answers: { 200: { description: 'The environment.', schema: environmentAnswer } },
  errors: ['not_found'],
};

/** `POST /v1/environments/:environmentId/archive`: for good. */
export function archiveEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<EnvironmentParams>(
    '/v1/environments/:environmentId/archive',
    described(OPERATION),
    async (request) =>
      toEnvironment(
        await catalog.environments.archive(request.tenant, request.params.environmentId),
      ),
  );
}
