import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { MemoryCatalogStore } from '../../src/store/memory/memory-catalog-store.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import { describeCatalogStore } from '../conformance/catalog-store.ts';
import { describeSessionStore } from '../conformance/session-store.ts';

describeSessionStore('memory', async () => ({ store: new MemorySessionStore() }));

/** The path of a database in a new folder, which goes after the test. */
async function newPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-store-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'data', 'roundhouse.db');
}

describeSessionStore('sqlite', async () => {
  const path = await newPath();
  const store = await openSqliteStore({ path });
  return {
    store,
    reopen: async () => {
      await store.close();
      return openSqliteStore({ path });
    },
  };
});

describeCatalogStore('memory', async () => ({ store: new MemoryCatalogStore() }));

describeCatalogStore('sqlite', async () => {
  const path = await newPath();
  let store = await openSqliteStore({ path });
  onTestFinished(() => store.close());
  return {
    store: store.catalog,
    reopen: async () => {
      await store.close();
      store = await openSqliteStore({ path });
      return store.catalog;
    },
  };
});
