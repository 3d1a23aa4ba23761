import type { FastifyInstance } from 'fastify';
import { environmentAnswer } from '../../../dialects/managed-agents/environment-answer.ts';
import { environmentCreateSchema } from '../../../dialects/managed-agents/environment-schema.ts';
import {
  parseEnvironmentCreate,
  toEnvironment,
} from '../../../dialects/managed-agents/environments.ts';
import { ENVIRONMENT_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';

const OPERATION: Operation = {
  id: 'createEnvironment',
  tag: 'Environments',
  summary: 'Create an environment',
  body: {
    schema: environmentCreateSchema,
    notes: ENVIRONMENT_FIELDS,
    example: { name: 'default' },
  },
  answers: { 200: { description: 'The environment.', schema: environmentAnswer } },
  errors: ['unsupported_field'],
};

/** `POST /v1/environments`. */
export function createEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post('/v1/environments', described(OPERATION), async (request) =>
    toEnvironment(
      await catalog.environments.create(request.tenant, parseEnvironmentCreate(request.body)),
    ),
  );
}
