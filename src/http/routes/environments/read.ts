import type { FastifyInstance } from 'fastify';
import { environmentAnswer } from '../../../dialects/managed-agents/environment-answer.ts';
import { toEnvironment } from '../../../dialects/managed-agents/environments.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { environmentParams } from './params.ts';
import type { EnvironmentParams } from './params.ts';

const OPERATION: Operation = {
  id: 'getEnvironment',
  tag: 'Environments',
  summary: 'Retrieve an environment',
  params: environmentParams,
  answers: { 200: { description: 'The environment.', schema: environmentAnswer } },
  errors: ['not_found'],
};

/** `GET /v1/environments/:environmentId`. */
export function readEnvironmentRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get<EnvironmentParams>(
    '/v1/environments/:environmentId',
    described(OPERATION),
    async (request) =>
      toEnvironment(await catalog.environments.get(request.tenant, request.params.environmentId)),
  );
}
