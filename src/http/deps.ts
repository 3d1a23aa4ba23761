import type { Telemetry } from '../telemetry/telemetry.ts';
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
  readonly options: HttpOptions;
  readonly telemetry: Telemetry;
  /** Renders `GET /metrics`; without it the route is not there. */
  readonly renderMetrics?: () => Promise<MetricsPage>;
}
