import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fullApp } from '../../testing/full-app.ts';
import { openApiDocument } from '../document.ts';
import type { Operation } from '../operation.ts';
import { curlOf } from './curl.ts';
import { docsPage } from './docs-page.ts';
import { html, prose } from './html.ts';

const OPERATION: Operation = {
  id: 'makeThing',
  tag: 'Server',
  summary: 'Make a thing',
  answers: { 200: { description: 'The thing.', schema: z.object({ a: z.string() }) } },
};

function pageOf(operation: Partial<Operation>, url = '/thing'): string {
  return docsPage(
    openApiDocument([
      { method: 'POST', url, public: false, operation: { ...OPERATION, ...operation } },
    ]),
  );
}

/** What a reader sees, without what lays it out. */
function textOf(page: string): string {
  return page
    .replaceAll(/<style>.*?<\/style>/gs, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

describe('HTML', () => {
  it('escapes whatever is put in, in texts and in attributes', () => {
    const evil = `"><script>alert('1 & 2')</script>`;
    expect(html`<a id="${evil}">${evil}</a>`.toString()).toBe(
      '<a id="&quot;&gt;&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;">&quot;&gt;&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;</a>',
    );
  });

  it('takes HTML as it is, lists in their order, and nothing for undefined', () => {
    expect(html`<p>${[html`<b>${1}</b>`, '<', undefined]}</p>`.toString()).toBe(
      '<p><b>1</b>&lt;</p>',
    );
  });

  it('shows what stands between backticks as code, escaped', () => {
    expect(prose('a `<b>` c').toString()).toBe('a <code>&lt;b&gt;</code> c');
  });
});

describe('the page', () => {
  it('escapes what descriptions, names and examples say', () => {
    const evil = '<img src=x onerror=alert(1)>';
    const page = pageOf({
      summary: evil,
      description: `\`${evil}\``,
      query: z.strictObject({ [evil]: z.literal(evil).optional().describe(evil) }),
      body: {
        schema: z.strictObject({ [evil]: z.string().default(evil) }),
        example: { [evil]: `'${evil}'` },
        notes: { [evil]: { effect: 'refused', note: evil } },
      },
      answers: { 200: { description: evil } },
    });
    expect(page).not.toContain('<img');
    expect(page).toContain('&lt;img');
  });

  it('shows fields with type, limits, defaults, notes, and which are required or refused', () => {
    const schema = z.strictObject({
      name: z.string().min(1).max(256),
      mode: z.enum(['fast', 'slow']).default('slow'),
      tags: z.array(z.string().min(1)).max(3).nullish(),
      old: z.unknown().optional(),
      inner: z.strictObject({ depth: z.int().min(2) }).optional(),
    });
    const notes = {
      name: { effect: 'takes effect', note: 'Need not be unique.' },
      old: { effect: 'refused', note: 'not here' },
    } as const;
    const text = textOf(pageOf({ body: { schema, notes, example: {} } }));
    expect(text).toContain('name string, 1 to 256 characters required Need not be unique.');
    expect(text).toContain('mode &quot;fast&quot; or &quot;slow&quot; , default &quot;slow&quot;');
    expect(text).toContain('tags array of string, not empty, at most 3 entries or null');
    expect(text).toContain('old Refused: not here');
    expect(text).toContain('inner object depth integer, at least 2 required');
  });

  it('tells the forms of a value by what they are told apart by', () => {
    const schema = z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('a'), one: z.string() }),
      z.strictObject({ type: z.literal('b'), two: z.string() }),
    ]);
    const text = textOf(pageOf({ body: { schema, example: {} } }));
    expect(text).toMatch(
      /type: &quot;a&quot; .* one string required .* ?type: &quot;b&quot; .* two string required/,
    );
  });

  it('links errors to their explanation, and schemas to theirs, and every link leads somewhere', async () => {
    const { app } = fullApp();
    const page = (await app.inject('/docs')).body;
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]);
    const links = [...page.matchAll(/href="#([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(links.filter((link) => !ids.includes(link))).toEqual([]);
    expect(links).toContain('error-not_found');
    expect(links).toContain('schema-Agent');
  });

  it('has every operation of the server, with a command that calls it', async () => {
    const { app } = fullApp();
    const page = (await app.inject('/docs')).body;
    for (const { operation } of app.routeList) {
      expect(page).toContain(`<article id="${operation?.id}">`);
    }
    expect(page.split('<code>curl').length - 1).toBe(app.routeList.length);
  });

  it('needs nothing from elsewhere, and its policy lets its own style in and nothing else', async () => {
    const { app } = fullApp();
    const { body, headers } = await app.inject('/docs');
    const style = /<style>(.*)<\/style>/s.exec(body)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(headers['content-security-policy']).toContain(
      `default-src 'none'; style-src 'sha256-${hash}';`,
    );
    expect(body).not.toMatch(/<script|<link|<img|<iframe|style="|@import|url\(/);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
  });

  it('and the document need no key, and say nothing of what the server was given', async () => {
    const { app } = fullApp({ keys: [{ id: 'alice', hash: `sha256:${'0'.repeat(64)}` }] });
    for (const url of ['/docs', '/openapi.json']) {
      const { statusCode, body } = await app.inject(url);
      expect(statusCode).toBe(200);
      expect(body).not.toMatch(/alice|claude-a|claude-b/);
    }
  });
});

describe('the command', () => {
  const operation = {
    operationId: 'makeThing',
    tags: ['Server'],
    summary: 'Make a thing',
    responses: {},
  };
  const bodyOf = (media: string, example: unknown) => ({
    ...operation,
    requestBody: { required: true, content: { [media]: { schema: {}, example } } },
  });

  it('quotes its body for a shell', () => {
    expect(curlOf('POST', '/a', bodyOf('application/json', { a: "it's" }))).toBe(
      `curl -X POST "http://localhost:8787/a" \\\n  -H "x-api-key: $ROUNDHOUSE_KEY" \\\n  -H 'content-type: application/json' \\\n  -d '{"a":"it'\\''s"}'`,
    );
  });

  it('sends files as parts', () => {
    expect(curlOf('POST', '/a', bodyOf('multipart/form-data', { file: 'x', n: '1' }))).toBe(
      `curl -X POST "http://localhost:8787/a" \\\n  -H "x-api-key: $ROUNDHOUSE_KEY" \\\n  -F file=@data.csv \\\n  -F 'n=1'`,
    );
  });

  it('has ids as variables, and no key where none is needed', () => {
    expect(curlOf('GET', '/v1/agents/{agentId}', { ...operation, security: [] })).toBe(
      'curl "http://localhost:8787/v1/agents/$AGENT_ID"',
    );
  });
});
