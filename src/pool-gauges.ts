import type { Composition } from './compose.ts';
import type { PrometheusMetrics } from './telemetry/prometheus-metrics.ts';

/** Registers what is read at each scrape: the pool as it stands, and the processes it owns against those that live. */
export function registerGauges(metrics: PrometheusMetrics, { pool, host }: Composition): void {
  metrics.gauge(
    'roundhouse_sessions',
    'Sessions in memory, by status.',
    () => byLabel('status', pool.stats().statuses),
    ['status'],
  );
  metrics.gauge(
    'roundhouse_turns',
    'Turns that run or wait first, by phase.',
    () => byLabel('phase', pool.stats().phases),
    ['phase'],
  );
  metrics.gauge(
    'roundhouse_process_slots_used',
    'Slots that are taken.',
    () => pool.stats().processSlots.used,
  );
  metrics.gauge(
    'roundhouse_process_slots_capacity',
    'Slots that there are.',
    () => pool.stats().processSlots.capacity,
  );
  metrics.gauge(
    'roundhouse_process_slots_waiting',
    'Callers that wait for a slot.',
    () => pool.stats().processSlots.waiting,
  );
  metrics.gauge('roundhouse_queued_turns', 'Prompts that wait.', () => pool.stats().queuedTurns);
  metrics.gauge(
    'roundhouse_spares',
    'Processes prepared for sessions to come, by state.',
    () => byLabel('state', pool.stats().spares),
    ['state'],
  );
  metrics.gauge('roundhouse_readers', 'Readers that follow sessions.', () => pool.stats().readers);
  metrics.gauge(
    'roundhouse_processes_owned',
    'Agent processes that the pool has started and not seen end.',
    () => pool.processesOwned,
  );
  metrics.gauge('roundhouse_processes_alive', 'Agent processes of this server that live.', () =>
    host.countOwned(),
  );
  metrics.gauge(
    'roundhouse_process_memory_bytes',
    'Memory of all agent processes together.',
    async () => {
      let sum = 0;
      for (const bytes of (await pool.processMemory()).values()) sum += bytes;
      return sum;
    },
  );
}

function byLabel(label: string, values: Readonly<Partial<Record<string, number>>>) {
  return Object.entries(values).map(([name, value]) => ({
    labels: { [label]: name },
    value: value ?? 0,
  }));
}
