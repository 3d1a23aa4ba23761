import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { openApiDocument } from '../../openapi/document.ts';
import type { OpenApiDocument } from '../../openapi/document-types.ts';
import { publiclyDescribed } from '../../openapi/operation.ts';
import { docsPage } from '../../openapi/page/docs-page.ts';
import { STYLE } from '../../openapi/page/style.ts';
import type { Route } from '../../openapi/route-list.ts';

/** Nothing but the page's own style, which is told by its hash, and nothing that could lead out of it but links. */
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/**
 * `GET /openapi.json` and `GET /docs`. Without a key: they are the same on every server that has the same routes, and say
 * nothing of keys, models, sessions, settings or the version. Made when they are first asked for.
 */
export function openApiRoutes(app: FastifyInstance, routes: readonly Route[]): void {
  let document: OpenApiDocument | undefined;
  let page: string | undefined;
  app.get(
    '/openapi.json',
    publiclyDescribed({
      id: 'getOpenApi',
      tag: 'Server',
      summary: 'This description, for programs',
      description: 'OpenAPI 3.1, made from the schemas that requests are checked with.',
      answers: { 200: { description: 'The document.', schema: documentSchema } },
    }),
    () => (document ??= openApiDocument(routes)),
  );
  app.get(
    '/docs',
    publiclyDescribed({
      id: 'getDocs',
      tag: 'Server',
      summary: 'This description, as a page',
      answers: { 200: { description: 'The page.', media: 'text/html' } },
    }),
    (_request, reply) => {
      page ??= docsPage((document ??= openApiDocument(routes)));
      return reply.headers(PAGE_HEADERS).send(page);
    },
  );
}

const documentSchema = z.looseObject({ openapi: z.string() });
