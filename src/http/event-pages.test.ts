import { expect, test } from 'vitest';
import { z } from 'zod';
import { DEFAULT_TAIL_LIMITS } from '../log/tail.ts';
import { ask, makePool } from '../../test/support/pool-fixture.ts';
import { scriptOf } from '../../test/support/scripts.ts';
import { FakePool } from './testing/fake-pool.ts';
import { testApp } from './testing/test-app.ts';

const MAX_BYTES = 50_000;
/** Fields of a record that a page's bound leaves out: number, times and ids. */
const FRAME_BYTES = 500;
const LARGE = 'x'.repeat(20_000);
const HUGE = 'y'.repeat(2 * MAX_BYTES);

const pageSchema = z.object({
  data: z.array(z.looseObject({ number: z.int() })),
  next: z.int().nullable(),
});

/** A session with these answers, and its pages as they are read over HTTP. */
async function session(answers: readonly string[]) {
  const turns = answers.map((answer, turn) => [`turn ${turn}`, { steps: [{ text: [answer] }] }]);
  const fixture = makePool({
    driver: { script: scriptOf(Object.fromEntries(turns)) },
    tailLimits: { ...DEFAULT_TAIL_LIMITS, maxBytes: MAX_BYTES },
  });
  for (const turn of answers.keys()) await ask(fixture, 'demo', `turn ${turn}`);
  const { app } = testApp({}, new FakePool(), { pool: fixture.pool });
  const page = async (query: string) => {
    const { body, statusCode } = await app.inject(`/sessions/demo/events?${query}`);
    expect(statusCode).toBe(200);
    return { ...pageSchema.parse(JSON.parse(body)), bytes: Buffer.byteLength(body) };
  };
  return { ...fixture, page };
}

test('a page of events ends where it has as many bytes as a reader may hold, and the next one goes on there', async () => {
  const { page, pool } = await session(Array.from({ length: 10 }, () => LARGE));
  const seen: number[] = [];
  const sizes: number[] = [];
  for (let after: number | null = 0; after !== null;) {
    const { data, next, bytes } = await page(`limit=10000&after=${after}`);
    expect(bytes).toBeLessThan(MAX_BYTES + data.length * FRAME_BYTES);
    seen.push(...data.map(({ number }) => number));
    sizes.push(data.length);
    after = next;
  }
  const all = await pool.readEvents('default', 'demo', { after: 0, limit: 10_000 });
  expect(seen).toEqual(all.map(({ number }) => number));
  expect(sizes.length).toBeGreaterThan(4);
});

test('a record that is larger than that is a page of its own', async () => {
  const { page } = await session([HUGE, 'small']);
  const large = await page('after=0').then(async ({ next }) => page(`after=${next}`));
  expect(large.data).toHaveLength(1);
  expect(large.bytes).toBeGreaterThan(HUGE.length);
  expect(await page(`after=${large.next}`)).toMatchObject({ next: null });
});

test('the last page says that it is, also when it is full', async () => {
  const { page, pool } = await session(['small']);
  const all = await pool.readEvents('default', 'demo', { after: 0, limit: 10_000 });
  expect(await page(`limit=${all.length - 1}`)).toMatchObject({ next: all.length - 1 });
  expect(await page(`limit=${all.length}`)).toMatchObject({ next: null });
  expect(await page(`after=${all.length}`)).toMatchObject({ data: [], next: null });
});
