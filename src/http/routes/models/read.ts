import type { FastifyInstance } from 'fastify';
import { RoundhouseError } from '../../../errors.ts';
import type { AppDependencies } from '../../deps.ts';
import { modelInfo } from './model-info.ts';

/** `GET /v1/models/:modelId`. */
export function readModelRoute(app: FastifyInstance, { options }: AppDependencies): void {
  app.get<{ Params: { modelId: string } }>('/v1/models/:modelId', (request) => {
    const { modelId } = request.params;
    if (options.models.includes(modelId)) return modelInfo(modelId);
    throw new RoundhouseError(
      'model_not_found',
      `There is no model ${JSON.stringify(modelId.slice(0, 100))} here; GET /v1/models lists those there are.`,
    );
  });
}
