import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { wholeNumberOr } from '../query.ts';
import { fullApp } from '../testing/full-app.ts';
import { openApiDocument } from './document.ts';
import { described, publiclyDescribed, type Operation } from './operation.ts';
import { listRoutes, type Route } from './route-list.ts';

const OPERATION: Operation = {
  id: 'getThing',
  tag: 'Server',
  summary: 'Get a thing',
  answers: { 200: { description: 'The thing.', schema: z.object({ a: z.string() }) } },
};

function route(operation: Partial<Operation> = {}, more: Partial<Route> = {}): Route {
  return {
    method: 'GET',
    url: '/thing',
    public: false,
    operation: { ...OPERATION, ...operation },
    ...more,
  };
}

async function realRoutes(): Promise<readonly Route[]> {
  const { app } = fullApp();
  await app.ready();
  return app.routeList;
}

describe('the routes of the server', () => {
  it('describe themselves, every one', async () => {
    const silent = (await realRoutes()).filter(({ operation }) => operation === undefined);
    expect(silent.map(({ method, url }) => `${method} ${url}`)).toEqual([]);
  });

  it('are all in the document that it serves, and nothing else is', async () => {
    const { app } = fullApp();
    const response = await app.inject('/openapi.json');
    const { paths }: ReturnType<typeof openApiDocument> = response.json();
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const there = app.routeList.map(
      ({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`,
    );
    expect(documented.toSorted()).toEqual(there.toSorted());
  });

  it('are described as a catalog-less server has them', async () => {
    const { paths } = openApiDocument(
      (await realRoutes()).filter(({ url }) => !url.startsWith('/v1/agents')),
    );
    expect(Object.keys(paths)).not.toContain('/v1/agents');
  });

  it('have examples that their own schemas take', async () => {
    const bodies = (await realRoutes()).flatMap(({ operation }) => operation?.body ?? []);
    expect(bodies.length).toBeGreaterThan(3);
    for (const { schema, example } of bodies)
      expect(schema.safeParse(example).error).toBe(undefined);
  });
});

describe('the list of routes', () => {
  it('has each route once, without the HEAD that Fastify adds, and whether it is public', async () => {
    const app = Fastify();
    const routes = listRoutes(app);
    app.get('/a', described(OPERATION), () => 'a');
    void app.register(async (scope) => {
      scope.post('/b', publiclyDescribed(OPERATION), () => 'b');
      scope.get('/c', () => 'c');
    });
    await app.ready();
    expect(routes).toEqual([
      { method: 'GET', url: '/a', public: false, operation: OPERATION },
      { method: 'POST', url: '/b', public: true, operation: OPERATION },
      { method: 'GET', url: '/c', public: false, operation: undefined },
    ]);
  });
});

describe('the document', () => {
  it('leaves out what does not describe itself', () => {
    const silent: Route = { method: 'GET', url: '/x', public: false, operation: undefined };
    expect(openApiDocument([silent]).paths).toEqual({});
  });

  it('refuses two operations of one name', () => {
    const twice = [route(), route({}, { url: '/other' })];
    expect(() => openApiDocument(twice)).toThrow('Two routes are described as getThing');
  });

  it.each([
    [{ params: z.object({ thingId: z.string() }) }, '/thing'],
    [{}, '/thing/:thingId'],
    [{ params: z.object({ id: z.string() }) }, '/thing/:thingId'],
  ])('refuses %# whose parameters are not those of its path', (operation, url) => {
    expect(() => openApiDocument([route(operation, { url })])).toThrow('has the parameters');
  });

  it('shows parameters of path, query and header with their bounds and defaults', () => {
    const { paths } = openApiDocument([
      route(
        {
          params: z.object({ thingId: z.string().describe('Which.') }),
          query: z.strictObject({ limit: wholeNumberOr(5, 1, 9), page: z.string().optional() }),
          headers: z.object({ 'x-mode': z.enum(['a', 'b']).optional() }),
        },
        { url: '/thing/:thingId' },
      ),
    ]);
    expect(paths['/thing/{thingId}']?.['get']?.parameters).toEqual([
      {
        name: 'thingId',
        in: 'path',
        required: true,
        description: 'Which.',
        schema: { type: 'string' },
      },
      {
        name: 'limit',
        in: 'query',
        required: false,
        schema: { type: 'integer', minimum: 1, maximum: 9, default: 5 },
      },
      { name: 'page', in: 'query', required: false, schema: { type: 'string' } },
      {
        name: 'x-mode',
        in: 'header',
        required: false,
        schema: { type: 'string', enum: ['a', 'b'] },
      },
    ]);
  });

  it('writes a schema with an id once and refers to it', () => {
    const thing = z.strictObject({ a: z.int() }).meta({ id: 'Thing' });
    const { paths, components } = openApiDocument([
      route({ answers: { 200: { description: 'Things.', schema: z.array(thing) } } }),
      route(
        { id: 'other', answers: { 200: { description: 'One.', schema: thing } } },
        { url: '/o' },
      ),
    ]);
    expect(components.schemas['Thing']).toEqual({
      type: 'object',
      properties: { a: { type: 'integer' } },
      required: ['a'],
      additionalProperties: false,
    });
    const ref = { $ref: '#/components/schemas/Thing' };
    expect(paths['/thing']?.['get']?.responses['200']).toMatchObject({
      content: { 'application/json': { schema: { type: 'array', items: ref } } },
    });
    expect(paths['/o']?.['get']?.responses['200']).toMatchObject({
      content: { 'application/json': { schema: ref } },
    });
  });

  it('puts the notes on fields where they stand, in every form and behind references', () => {
    const item = z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('a'), size: z.int() }),
        z.strictObject({ type: z.literal('b'), size: z.int(), old: z.unknown().optional() }),
      ])
      .meta({ id: 'Item' });
    const body = {
      schema: z.strictObject({ items: z.array(item).nullish() }),
      example: {},
      notes: {
        'items.*.size': { effect: 'takes effect', note: 'How large.' },
        'items.*.old': { effect: 'refused', note: 'not here' },
        'items.*.b': { effect: 'refused', note: 'a form, not a field' },
      },
    } as const;
    const { components } = openApiDocument([route({ body }, { method: 'POST' })]);
    expect(components.schemas['Item']?.oneOf).toMatchObject([
      { properties: { size: { description: 'How large.' } } },
      {
        properties: {
          size: { description: 'How large.' },
          old: { description: 'Refused: not here', 'x-refused': true },
        },
      },
    ]);
  });

  it('names the codes of each error status, its own and those of every route', () => {
    const operation: Partial<Operation> = { errors: ['not_found', 'queue_full'] };
    const { paths, components } = openApiDocument([
      route(
        { ...operation, params: z.object({ id: z.string() }) },
        { url: '/t/:id', method: 'PUT' },
      ),
    ]);
    const responses = paths['/t/{id}']?.['put']?.responses ?? {};
    const codes = Object.entries(responses).flatMap(([status, response]) => {
      const named = '$ref' in response ? response.$ref.slice('#/components/responses/'.length) : '';
      const found = '$ref' in response ? components.responses[named] : response;
      return found?.['x-error-codes'] === undefined ? [] : [[status, found['x-error-codes']]];
    });
    expect(Object.fromEntries(codes)).toEqual({
      '400': ['invalid_request'],
      '401': ['unauthorized'],
      '403': ['forbidden'],
      '404': ['not_found'],
      '413': ['payload_too_large'],
      '414': ['invalid_request'],
      '415': ['invalid_request'],
      '500': ['storage_failed', 'internal'],
      '503': ['queue_full'],
    });
  });

  it('lets a status that is an answer be none of an error', () => {
    const answers = { 503: { description: 'Not ready.' } };
    const { paths } = openApiDocument([route({ answers, errors: ['draining'] })]);
    expect(paths['/thing']?.['get']?.responses['503']).toMatchObject({ description: 'Not ready.' });
  });

  it('asks for no key where none is needed', () => {
    const { paths, security } = openApiDocument([
      route(),
      route({ id: 'open' }, { url: '/open', public: true }),
    ]);
    expect(security).toEqual([{ key: [] }, { bearer: [] }]);
    expect(paths['/thing']?.['get']?.security).toBe(undefined);
    expect(paths['/open']?.['get']).toMatchObject({ security: [] });
    expect(Object.keys(paths['/open']?.['get']?.responses ?? {})).not.toContain('401');
  });
});
