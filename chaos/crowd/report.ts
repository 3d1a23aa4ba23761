import { percentile } from '../../bench/stats.ts';
import { machineLine, type Machine } from '../../bench/machine.ts';
import type { Logs } from '../finish.ts';
import type { Ledger } from '../ledger.ts';
import type { CrowdTurn } from './load.ts';
import type { ServerMetrics } from './metrics.ts';
import type { CrowdPlan } from './plan.ts';
import type { Fairness, SlotWait } from './slot-waits.ts';

/** What a run came to. */
export interface CrowdReport {
  readonly ledger: Ledger;
  readonly plan: CrowdPlan;
  readonly turns: readonly CrowdTurn[];
  readonly waits: readonly SlotWait[];
  readonly fairness: Fairness;
  readonly logs: Logs;
  readonly metrics: ServerMetrics;
  readonly machine: Machine;
  /** Load averages of the last 1, 5 and 15 minutes. */
  readonly loadAtEnd: readonly number[];
  /** From the first prompt to the last answer. */
  readonly totalSeconds: number;
  readonly atOnce: number;
  readonly processes: number;
  readonly seed: number;
  /** Agent processes that lived at the same time, most of all looks. */
  readonly mostAlive: number;
  readonly looks: number;
}

/** Tables in Markdown. */
export function formatCrowdReport(report: CrowdReport): string {
  const { ledger, plan, turns, waits, processes, seed, atOnce } = report;
  const sessions = plan.sessions.length;
  return [
    `${machineLine(report.machine)}; at the end: load ${report.loadAtEnd.map((load) => load.toFixed(1)).join(', ')} (1, 5, 15 min)`,
    `Crowd: ${turns.length} prompts, ${sessions} sessions of ${plan.keys.length} keys, ${atOnce} prompts at once, ${processes} processes, seed ${seed}: ${report.totalSeconds.toFixed(0)} s`,
    table(['what', 'count'], countRows(report)),
    table(
      ['wait for a slot, s', 'slots', 'p50', 'p99', 'longest'],
      timeRows(
        plan,
        waits.map(({ tenant, waitMs }) => ({ owner: tenant, ms: waitMs })),
      ),
    ),
    table(
      ['prompt to first text, s', 'prompts', 'p50', 'p99', 'longest'],
      timeRows(
        plan,
        turns.flatMap(({ owner, firstTextMs: ms }) => (ms === undefined ? [] : { owner, ms })),
      ),
    ),
    `again: npm run crowd -- --prompts ${ledger.prompts.length} --sessions ${sessions} --processes ${processes} --seed ${seed}`,
  ].join('\n\n');
}

/** One line while a run goes on. */
export function formatCrowdProgress(
  ledger: Ledger,
  turns: readonly CrowdTurn[],
  waits: readonly SlotWait[],
): string {
  const seconds = ledger.elapsedSeconds.toFixed(0).padStart(4);
  const running = ledger.prompts.length - turns.length;
  const longestMs = Math.max(0, ...waits.map(({ waitMs }) => waitMs));
  return `[${seconds} s] prompts ${turns.length} (+${running}), slots given ${waits.length}, longest wait ${(longestMs / 1000).toFixed(1)} s, violations ${ledger.violations.length}`;
}

type Row = readonly (string | number)[];

function countRows({ ledger, plan, metrics, fairness, ...report }: CrowdReport): Row[] {
  const started = (kind: string): number =>
    metrics.sum('roundhouse_process_starts_total', `kind="${kind}"`, 'outcome="ready"');
  const complete = report.turns.filter(({ entry }) => entry.outcome === 'complete').length;
  const records = [...report.logs.values()].reduce((sum, { length }) => sum + length, 0);
  const count = (invariant: string): number =>
    ledger.violations.filter((violation) => violation.invariant === invariant).length;
  return [
    ['prompts sent', ledger.prompts.length],
    ['prompts answered to the end', complete],
    ['sessions', plan.sessions.length],
    ['processes taken for somebody who waited (evictions)', evictions(metrics)],
    ['processes started for a new session', started('new')],
    ['processes started ahead of a new session (spares)', started('spare')],
    ['processes started to resume a session', started('resumed')],
    ['starts that failed', metrics.sum('roundhouse_process_starts_total', 'outcome="failed"')],
    ['agents that died by themselves', ledger.notes.get(AGENT_DIED) ?? 0],
    [`most processes alive at once, of ${report.looks} looks`, report.mostAlive],
    ['requests at the upstream', ledger.requests.length],
    ['events in the logs', records],
    ['most who came later and got a slot before one of their own key', fairness.overtakenByOwn],
    ['most who came later and got a slot before one of another key', fairness.overtakenByOthers],
    ['**violations**', ledger.violations.length],
    ['**left behind** (of these)', count('I9')],
  ];
}

/** What the server's log says of an agent that nobody ended. */
export const AGENT_DIED = 'agent_died';

/** Processes that were taken from idle sessions because somebody waited for a slot. */
export function evictions(metrics: ServerMetrics): number {
  return metrics.sum('roundhouse_evictions_total', 'reason="evicted"');
}

interface Sample {
  readonly owner: string;
  readonly ms: number;
}

function timeRows({ keys, sessions }: CrowdPlan, samples: readonly Sample[]): Row[] {
  const row = (name: string, own: readonly Sample[]): Row => {
    const values = own.map(({ ms }) => ms / 1000);
    if (values.length === 0) return [name, 0, '-', '-', '-'];
    const at = (share: number): string => percentile(values, share).toFixed(2);
    return [name, values.length, at(0.5), at(0.99), at(1)];
  };
  return [
    row('all', samples),
    ...keys.map(({ id }) => {
      const own = sessions.filter(({ owner }) => owner.id === id).length;
      return row(
        `key ${id} (${own} sessions)`,
        samples.filter(({ owner }) => owner === id),
      );
    }),
  ];
}

/** Words stand to the left, in the first column; numbers to the right. */
function table(headers: Row, rows: readonly Row[]): string {
  const lines = [headers, ...rows].map((row) => row.map(String));
  const widths = headers.map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  const [head = '', ...body] = lines.map((cells) => {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(' | ')} |`;
  });
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [head, `| ${rule.join(' | ')} |`, ...body].join('\n');
}
