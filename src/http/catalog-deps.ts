import type { Agents } from '../catalog/agents.ts';
import type { Environments } from '../catalog/environments.ts';
import type { Files } from '../catalog/files.ts';
import type { SessionEvents } from '../catalog/session-events.ts';
import type { SessionExtensions } from '../catalog/session-extensions.ts';
import type { Sessions } from '../catalog/sessions.ts';
import type { HttpOptions } from './options.ts';

/** Sessions, and what they are made of. */
export interface Catalog {
  readonly agents: Agents;
  readonly environments: Environments;
  readonly files: Files;
  readonly sessions: Sessions;
  readonly events: SessionEvents;
  readonly extensions: SessionExtensions;
}

/** What the catalog's routes work with. */
export interface CatalogDependencies {
  readonly catalog: Catalog;
  readonly options: Pick<HttpOptions, 'models' | 'heartbeatMs' | 'readerMaxLagMs'>;
}
