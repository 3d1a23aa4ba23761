import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { RoundhouseError } from '../../../errors.ts';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { modelAnswer, modelInfo } from './model-info.ts';

const OPERATION: Operation = {
  id: 'getModel',
  tag: 'Models',
  summary: 'Retrieve a model',
  params: z.object({ modelId: z.string().describe('One of the listed ones.') }),
  answers: { 200: { description: 'The model.', schema: modelAnswer } },
  errors: ['model_not_found'],
};

/** `GET /v1/models/:modelId`. */
export function readModelRoute(app: FastifyInstance, { options }: AppDependencies): void {
  app.get<{ Params: { modelId: string } }>(
    '/v1/models/:modelId',
    described(OPERATION),
    (request) => {
      const { modelId } = request.params;
      if (options.models.includes(modelId)) return modelInfo(modelId);
      throw new RoundhouseError(
        'model_not_found',
        `There is no model ${JSON.stringify(modelId.slice(0, 100))} here; GET /v1/models lists those there are.`,
      );
    },
  );
}
