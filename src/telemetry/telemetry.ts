/** Facts of a log line. Never a secret, never the text of a prompt. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The port for logs. `event` is a stable name in snake_case; operators filter by it. */
export interface Logger {
  /** Absent where nobody keeps these lines: then `log.debug?.(…)` does not even gather their facts. */
  debug?(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

type Labels = Readonly<Record<string, string>>;

/** The port for metrics. Names are those of `docs/metrics.md`; unknown names throw, so a typo shows in the first test. */
export interface Metrics {
  count(name: MetricCounter, labels?: Labels, by?: number): void;
  observe(name: MetricHistogram, value: number, labels?: Labels): void;
}

/** Counters, with what they count. */
export const COUNTERS = {
  roundhouse_turns_total: {
    help: 'Turns that ended, by reason and error code.',
    labels: ['reason', 'code'],
  },
  roundhouse_process_starts_total: {
    help: 'Agent processes started, by kind (new, resumed, spare) and outcome.',
    labels: ['kind', 'outcome'],
  },
  roundhouse_process_exits_total: {
    help: 'Agent processes that ended, by cause.',
    labels: ['cause'],
  },
  roundhouse_evictions_total: {
    help: 'Processes taken from idle sessions, by reason.',
    labels: ['reason'],
  },
  roundhouse_eviction_context_tokens_total: {
    help: 'Tokens of the conversations whose processes were taken, by whether the prompt cache was probably warm or cold.',
    labels: ['cache'],
  },
  roundhouse_spares_total: {
    help: 'New sessions that found a prepared process or did not, by outcome (hit, miss), reason, and whose folder they work in (own, named).',
    labels: ['outcome', 'reason', 'folder'],
  },
  roundhouse_spares_wasted_total: {
    help: 'Prepared processes that ended unused, by reason and folder.',
    labels: ['reason', 'folder'],
  },
  roundhouse_refusals_total: {
    help: 'Calls refused by the pool, by error code.',
    labels: ['code'],
  },
  roundhouse_phase_timeouts_total: {
    help: 'Phase limits that were reached, by phase.',
    labels: ['phase'],
  },
  roundhouse_readers_cut_total: { help: 'Readers cut off because they did not drain.', labels: [] },
  roundhouse_retries_total: {
    help: 'Retries of the model call that agents announced, by status.',
    labels: ['status'],
  },
  roundhouse_sessions_broken_total: {
    help: 'Sessions that could not be put in order at the start, by error code.',
    labels: ['code'],
  },
  roundhouse_store_rows_damaged_total: {
    help: 'Things found damaged in the store, which lists leave out, each counted once.',
    labels: [],
  },
} as const satisfies Record<string, { help: string; labels: readonly string[] }>;

/** Histograms, with what they measure and their buckets. */
export const HISTOGRAMS = {
  roundhouse_start_seconds: {
    help: 'Time from asking for a process until it can take a prompt.',
    labels: ['kind'],
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
  },
  roundhouse_wait_seconds: {
    help: 'Time that callers waited for a slot.',
    labels: [],
    buckets: [0.001, 0.01, 0.1, 1, 5, 10, 30, 60],
  },
  roundhouse_phase_seconds: {
    help: 'Time that turns spent in each phase.',
    labels: ['phase'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
  },
  roundhouse_turn_seconds: {
    help: 'Time from accepting a prompt to its end.',
    labels: [],
    buckets: [0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
  },
  roundhouse_first_text_seconds: {
    help: 'Time from writing a prompt to the first text of the answer.',
    labels: [],
    buckets: [0.02, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60],
  },
} as const satisfies Record<
  string,
  { help: string; labels: readonly string[]; buckets: readonly number[] }
>;

export type MetricCounter = keyof typeof COUNTERS;
export type MetricHistogram = keyof typeof HISTOGRAMS;

/** Logs and metrics travel together. */
export interface Telemetry {
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Keeps nothing. For libraries that bring no telemetry, and for tests that look at none. */
export const NO_TELEMETRY: Telemetry = {
  log: { info: () => {}, warn: () => {}, error: () => {} },
  metrics: { count: () => {}, observe: () => {} },
};
