import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import { describeSessionStore } from '../conformance/session-store.ts';

describeSessionStore('memory', async () => ({ store: new MemorySessionStore() }));

describeSessionStore('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-store-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'data', 'roundhouse.db');
  const store = await openSqliteStore({ path });
  return {
    store,
    reopen: async () => {
      await store.close();
      return openSqliteStore({ path });
    },
  };
});
