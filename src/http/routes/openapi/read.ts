import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { openApiDocument } from '../../openapi/document.ts';
import type { OpenApiDocument } from '../../openapi/document-types.ts';
import { publiclyDescribed } from '../../openapi/operation.ts';
import type { Route } from '../../openapi/route-list.ts';

/**
 * `GET /openapi.json`. Without a key: it is the same on every server of this version that has the same routes, and says
 * nothing of keys, models, sessions or settings. Made when it is first asked for.
 */
export function openApiRoutes(app: FastifyInstance, routes: readonly Route[]): void {
  let made: OpenApiDocument | undefined;
  const document = (): OpenApiDocument => (made ??= openApiDocument(routes));
  app.get(
    '/openapi.json',
    publiclyDescribed({
      id: 'getOpenApi',
      tag: 'Server',
      summary: 'This description',
      description: 'OpenAPI 3.1, made from the schemas that requests are checked with.',
      answers: { 200: { description: 'The document.', schema: documentSchema } },
    }),
    () => document(),
  );
}

const documentSchema = z.looseObject({ openapi: z.string() });
