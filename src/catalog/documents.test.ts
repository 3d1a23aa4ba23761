import { expect, test } from 'vitest';
import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { EnvironmentDefinition } from '../definitions/environment.ts';
import { MemoryCatalogStore } from '../store/memory/memory-catalog-store.ts';
import { Documents } from './documents.ts';

const BODY: EnvironmentDefinition = {
  name: 'a',
  description: null,
  metadata: {},
  workspace: { type: 'fresh' },
  variables: {},
};

function documents(store: CatalogStore = new MemoryCatalogStore()) {
  let count = 0;
  return new Documents({ store, kind: 'environment', mintId: () => `env_${(count += 1)}` });
}

test('a change is made again on top of one that came between', async () => {
  const all = documents();
  const { id } = await all.create('key-a', BODY);
  const seen: string[] = [];
  const changed = await all.change('key-a', id, async (current) => {
    seen.push(current.name);
    if (seen.length === 1) await all.change('key-a', id, (body) => ({ ...body, name: 'b' }));
    return { ...current, description: 'changed' };
  });
  expect(seen).toEqual(['a', 'b']);
  expect(changed).toMatchObject({ version: 3, body: { name: 'b', description: 'changed' } });
});

test('a change that an archiving comes before is refused', async () => {
  const all = documents();
  const { id } = await all.create('key-a', BODY);
  const change = all.change('key-a', id, async (current) => {
    await all.archive('key-a', id);
    return { ...current, name: 'b' };
  });
  await expect(change).rejects.toThrow(expect.objectContaining({ code: 'environment_archived' }));
  expect((await all.get('key-a', id)).body.name).toBe('a');
});

test('a change with a version is not made again', async () => {
  const all = documents();
  const { id } = await all.create('key-a', BODY);
  const change = all.change(
    'key-a',
    id,
    async (current) => {
      await all.change('key-a', id, (body) => ({ ...body, name: 'b' }));
      return { ...current, name: 'c' };
    },
    1,
  );
  await expect(change).rejects.toThrow(expect.objectContaining({ code: 'version_conflict' }));
  expect((await all.get('key-a', id)).body.name).toBe('b');
});

test('a change that is overtaken for ever gives up', async () => {
  const store = new MemoryCatalogStore();
  const all = documents(store);
  const { id } = await all.create('key-a', BODY);
  store.replace = async () => undefined;
  const change = all.change('key-a', id, (current) => ({ ...current, name: 'b' }));
  await expect(change).rejects.toThrow(expect.objectContaining({ code: 'version_conflict' }));
});
