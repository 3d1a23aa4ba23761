import { countForgotten } from './checks/history.ts';
import { turnsOf } from './checks/log.ts';
import type { Logs } from './finish.ts';
import type { Ledger } from './ledger.ts';
import { endWord } from './records.ts';

export interface ReportInput {
  readonly ledger: Ledger;
  readonly logs: Logs;
  readonly seed: number;
  readonly sessions: number;
  readonly maxProcesses: number;
  readonly minutes: number;
  readonly serverStarts: number;
  /** False when the run was ended early: then nothing was held against the logs. */
  readonly checked: boolean;
}

type Row = readonly [name: string, count: number];

/** The table at the end of a run, as Markdown. */
export function formatReport(input: ReportInput): string {
  const { ledger, logs, seed, minutes, sessions, maxProcesses } = input;
  const turns = turnRows(logs);
  const faults = sorted(ledger.faults);
  const count = (invariant: string): number =>
    ledger.violations.filter((violation) => violation.invariant === invariant).length;
  const forgotten = [...logs.values()].reduce((all, records) => all + countForgotten(records), 0);
  const retired = [...ledger.sessions.values()].filter((session) => session.retired);
  const outcomes = new Map<string, number>();
  for (const { outcome } of ledger.prompts) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const totals: Row[] = [
    ['prompts sent', ledger.prompts.length],
    ['turns in the logs of sessions that were not deleted', sum(turns)],
    ['faults', ledger.faultCount],
    ['starts of the server', input.serverStarts],
    ['sessions deleted', retired.length],
    ['events seen by readers and found again', seenEvents(ledger)],
    ['requests at the upstream', ledger.requests.length],
    ...sorted(ledger.notes),
    ['prompts of failed turns that the model no longer sees', forgotten],
    ['**violations**', ledger.violations.length],
    ['**leftovers**', count('I9')],
    ['**acknowledged events lost**', count('I10')],
  ];
  return [
    `Chaos: ${ledger.elapsedSeconds.toFixed(0)} s, ${sessions} sessions at a time on ${maxProcesses} processes`,
    table('turns by outcome, as the logs tell it', turns),
    table('prompts by what their clients saw', sorted(outcomes)),
    table('faults by kind', faults),
    ...[...ledger.skipped].map(([kind, reason]) => `not made here: ${kind} (${reason})`),
    table('totals', totals),
    ...(input.checked ? [] : ['ENDED EARLY: the last checks were not made, so 0 proves nothing']),
    `again: npm run chaos -- --minutes ${minutes} --seed ${seed} --max-processes ${maxProcesses} --sessions ${sessions}`,
  ].join('\n\n');
}

/** One line while a run goes on. */
export function formatProgress(ledger: Ledger, running: number, serverStarts: number): string {
  const done = ledger.prompts.filter(({ outcome }) => outcome !== 'pending').length;
  const seconds = ledger.elapsedSeconds.toFixed(0).padStart(4);
  return `[${seconds} s] prompts ${done} (+${running}), faults ${ledger.faultCount}, server starts ${serverStarts}, violations ${ledger.violations.length}`;
}

function turnRows(logs: Logs): Row[] {
  const counts = new Map<string, number>();
  for (const records of logs.values()) {
    for (const { ends } of turnsOf(records)) {
      const word = (ends[0] && endWord(ends[0])) ?? 'no end';
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return sorted(counts);
}

function seenEvents(ledger: Ledger): number {
  const living = [...ledger.sessions.values()].filter((session) => !session.retired);
  return living.reduce((total, { seen }) => total + seen.size, 0);
}

function sorted(counts: ReadonlyMap<string, number>): Row[] {
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

function sum(rows: readonly Row[]): number {
  return rows.reduce((total, [, count]) => total + count, 0);
}

function table(title: string, rows: readonly Row[]): string {
  const all = rows.map(([name, count]) => [name, String(count)] as const);
  const left = Math.max(title.length, ...all.map(([name]) => name.length));
  const right = Math.max('count'.length, ...all.map(([, count]) => count.length));
  const line = (name: string, count: string): string =>
    `| ${name.padEnd(left)} | ${count.padStart(right)} |`;
  return [
    line(title, 'count'),
    `| ${'-'.repeat(left)} | ${'-'.repeat(right - 1)}: |`,
    ...all.map(([name, count]) => line(name, count)),
  ].join('\n');
}
