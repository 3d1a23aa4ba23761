import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import type { LogFields } from './telemetry.ts';
import { COUNTERS, HISTOGRAMS, NO_TELEMETRY } from './telemetry.ts';
import { PrometheusMetrics } from './prometheus-metrics.ts';

describe('the Prometheus metrics', () => {
  it('count and observe under their names, in a registry of their own', async () => {
    const metrics = new PrometheusMetrics();
    const other = new PrometheusMetrics();
    metrics.count('roundhouse_turns_total', { reason: 'completed' });
    metrics.count('roundhouse_turns_total', { reason: 'completed' }, 2);
    metrics.observe('roundhouse_start_seconds', 0.3, { kind: 'new' });
    const { contentType, text } = await metrics.render();
    expect(contentType).toContain('text/plain');
    expect(text).toContain('roundhouse_turns_total{reason="completed"} 3');
    expect(text).toContain('roundhouse_start_seconds_bucket{le="0.5",kind="new"} 1');
    expect((await other.render()).text).not.toContain('reason="completed"');
  });

  it('throw on a name or a label that is not in the tables', () => {
    const metrics = new PrometheusMetrics();
    const untyped: { count(name: string): void } = metrics;
    expect(() => untyped.count('roundhouse_typo_total')).toThrow('typo');
    expect(() => metrics.count('roundhouse_turns_total', { sort: 'x' })).toThrow('sort');
  });

  it('read a gauge at each scrape, without the samples of the last one', async () => {
    const metrics = new PrometheusMetrics();
    let states = [{ labels: { state: 'idle' }, value: 2 }];
    metrics.gauge('roundhouse_slots', 'Slots.', () => 3);
    metrics.gauge('roundhouse_sessions', 'Sessions.', () => Promise.resolve(states), ['state']);
    const first = (await metrics.render()).text;
    expect(first).toContain('roundhouse_slots 3');
    expect(first).toContain('roundhouse_sessions{state="idle"} 2');
    states = [{ labels: { state: 'active' }, value: 1 }];
    const second = (await metrics.render()).text;
    expect(second).toContain('roundhouse_sessions{state="active"} 1');
    expect(second).not.toContain('state="idle"');
  });

  it('leave out a gauge that cannot be read, say so, and show the rest', async () => {
    const warnings: [string, LogFields | undefined][] = [];
    const warn = (event: string, fields?: LogFields): void => void warnings.push([event, fields]);
    const metrics = new PrometheusMetrics({ log: { ...NO_TELEMETRY.log, warn } });
    metrics.gauge('roundhouse_broken', 'Broken.', () => Promise.reject(new Error('no')));
    metrics.count('roundhouse_readers_cut_total');
    const { text } = await metrics.render();
    expect(text).toContain('roundhouse_readers_cut_total 1');
    expect(text).not.toMatch(/^roundhouse_broken \d/m);
    expect(warnings[0]).toMatchObject(['metrics_gauge_failed', { metric: 'roundhouse_broken' }]);
  });
});

describe('docs/metrics.md', () => {
  it('lists every counter and histogram with its labels and what it tells, and no other', () => {
    const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const rows = text
      .split('\n')
      .filter((line) => /^\| `roundhouse_\w+(_total|_seconds)` /.test(line));
    const expected = [
      ...Object.entries(COUNTERS).map(([name, { help, labels }]) =>
        row(name, 'counter', labels, help),
      ),
      ...Object.entries(HISTOGRAMS).map(([name, { help, labels }]) =>
        row(name, 'histogram', labels, help),
      ),
    ];
    expect(rows.map((line) => line.replaceAll(/ +/g, ' '))).toEqual(expected);
  });
});

function row(name: string, kind: string, labels: readonly string[], help: string): string {
  const named = labels.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${kind} | ${named === '' ? '-' : named} | ${help} |`;
}
