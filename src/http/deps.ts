import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Catalog } from './catalog-deps.ts';
import type { HttpOptions } from './options.ts';
import type { PoolPort } from './pool-port.ts';

/** Metrics as text, ready to be sent. */
export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

/** What the routes work with. */
export interface AppDependencies {
  readonly pool: PoolPort;
  /** What sessions are made of; without it `/v1/agents`, `/v1/environments` and `/v1/files` are not there. */
  readonly catalog?: Catalog;
  readonly options: HttpOptions;
  readonly telemetry: Telemetry;
  /**
   * Begins to drain the server, unless it does already, and returns at once. `deadlineMs`: how long turns may run from the
   * beginning of the drain. Without it `POST /admin/drain` is not there.
   */
  readonly drain?: () => { readonly deadlineMs: number };
  /** Renders `GET /metrics`; without it the route is not there. */
  readonly renderMetrics?: () => Promise<MetricsPage>;
}
