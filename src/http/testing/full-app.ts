import { Agents } from '../../catalog/agents.ts';
import { Environments } from '../../catalog/environments.ts';
import { MemoryCatalogStore } from '../../store/memory/memory-catalog-store.ts';
import { FakePool } from './fake-pool.ts';
import { testApp, type TestApp } from './test-app.ts';

/** A {@link testApp} with every route that there can be: what is described of the API is described of this one. */
export function fullApp(): TestApp {
  const store = new MemoryCatalogStore();
  const rules = { folderAllowed: () => true, variableAllowed: () => true };
  return testApp({}, new FakePool(), {
    catalog: {
      agents: new Agents({ store, ownTools: true }),
      environments: new Environments({ store, rules }),
    },
    drain: () => ({ deadlineMs: 1_000 }),
  });
}
