import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from '@prometheus-io/client';

import type { Logger, MetricCounter, MetricHistogram, Metrics } from './telemetry.ts';
import { COUNTERS, HISTOGRAMS } from './telemetry.ts';
import { RoundhouseError } from '../errors.ts';

/** One value of a gauge with labels. */
export interface GaugeSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads a gauge when it is scraped. */
export type GaugeCollect = () => Collected | Promise<Collected>;
type Collected = number | readonly GaugeSample[];

/** Settings of the Prometheus metrics. */
export interface PrometheusOptions {
  /** Told when a gauge can't be read; the other metrics are still shown. */
  readonly log?: Logger;
  /** Whether the metrics of Node itself (memory, event loop lag, garbage collection) are shown too. Default false. */
  readonly node?: boolean;
}

/** What `/metrics` sends. */
export interface RenderedMetrics {
  readonly contentType: string;
  readonly text: string;
}

/**
 * The metrics of one server, in a registry of its own, so that two servers in a process do not mix. Labels that a caller
 * leaves out are empty; a name or label that is not in the tables throws, so that a typo shows in the first test.
 */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #counters: ReadonlyMap<string, Counter<string>>;
  readonly #histograms: ReadonlyMap<string, Histogram<string>>;
  readonly #log: Logger | undefined;

  constructor(options: PrometheusOptions = {}) {
    const registers = [this.#registry];
    this.#log = options.log;
    this.#counters = new Map(
      Object.entries(COUNTERS).map(([name, { help, labels }]) => [
        name,
        new Counter<string>({ name, help, labelNames: [...labels], registers }),
      ]),
    );
    this.#histograms = new Map(
      Object.entries(HISTOGRAMS).map(([name, { help, labels, buckets }]) => [
        name,
        new Histogram<string>({
          name,
          help,
          labelNames: [...labels],
          buckets: [...buckets],
          registers,
        }),
      ]),
    );
    if (options.node === true) collectDefaultMetrics({ register: this.#registry });
  }

  count(name: MetricCounter, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    known(this.#counters, name).inc({ ...labels }, by);
  }

  observe(
    name: MetricHistogram,
    value: number,
    labels: Readonly<Record<string, string>> = {},
  ): void {
    known(this.#histograms, name).observe({ ...labels }, value);
  }

  /**
   * Adds a gauge that is read at each scrape. `collect` gives one number, or with `labels` a list of samples; samples of
   * an earlier scrape do not stay. When it fails, the gauge is left out of that scrape and the failure is logged.
   */
  gauge(name: string, help: string, collect: GaugeCollect, labels: readonly string[] = []): void {
    const log = this.#log;
    const gauge: Gauge<string> = new Gauge<string>({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      async collect() {
        gauge.reset();
        try {
          const collected = await collect();
          const samples =
            typeof collected === 'number' ? [{ labels: {}, value: collected }] : collected;
          for (const sample of samples) gauge.set({ ...sample.labels }, sample.value);
        } catch (error) {
          if (labels.length === 0) gauge.remove();
          log?.warn('metrics_gauge_failed', { metric: name, error });
        }
      },
    });
  }

  /** All metrics in the text format of Prometheus. */
  async render(): Promise<RenderedMetrics> {
    const text = await this.#registry.metrics();
    return { contentType: this.#registry.contentType, text };
  }
}

function known<T>(metrics: ReadonlyMap<string, T>, name: string): T {
  const metric = metrics.get(name);
  if (metric !== undefined) return metric;
  throw new RoundhouseError('internal', `There is no metric named ${name}; see telemetry.ts.`);
}
