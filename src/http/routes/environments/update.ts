import type { FastifyInstance } from 'fastify';
import { environmentAnswer } from '../../../dialects/managed-agents/environment-answer.ts';
import { environmentUpdateSchema } from '../../../dialects/managed-agents/environment-schema.ts';
import {
  parseEnvironmentUpdate,
  toEnvironment,
} from '../../../dialects/managed-agents/environments.ts';
import { ENVIRONMENT_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { environmentParams } from './params.ts';
import type { EnvironmentParams } from './params.ts';

const OPERATION: Operation = {
  id: 'updateEnvironment',
  tag: 'Environments',
  summary: 'Update an environment',
  description: 'What is left out stays. Sessions that exist keep what they were made with.',
  params: environmentParams,
  body: {
    schema: environmentUpdateSchema,
    notes: ENVIRONMENT_FIELDS,
    example: { description: 'Where the coders work' },
  },
  answers: { 200: { description: 'The environment as it is now.', schema: environmentAnswer } },
  errors: ['unsupported_field', 'not_found', 'environment_archived', 'version_conflict'],
};

/** `POST /v1/environments/:environmentId`: a patch. Sessions that exist keep what they were made with. */
export function updateEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<EnvironmentParams>(
    '/v1/environments/:environmentId',
    described(OPERATION),
    async (request) => {
      const change = parseEnvironmentUpdate(request.body);
      const { environmentId } = request.params;
      return toEnvironment(
        await catalog.environments.update(request.tenant, environmentId, change),
      );
    },
  );
}
