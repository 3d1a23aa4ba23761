import { describe, expect, it } from 'vitest';

import { countTests, summaryLine } from './test-counts.ts';

function report(status: string, ...tests: readonly [fullName: string, status: string][]): string {
  const assertionResults = tests.map(([fullName, result]) => ({ fullName, status: result }));
  return JSON.stringify({ testResults: [{ name: 'a.test.ts', status, assertionResults }] });
}

describe('the count of tests', () => {
  it('tells passed, failed and skipped tests apart and names what failed', () => {
    const text = report(
      'failed',
      ['a works', 'passed'],
      ['b works', 'failed'],
      ['c works', 'skipped'],
      ['d works', 'todo'],
    );
    expect(countTests(text)).toEqual({
      passed: 1,
      failed: 1,
      skipped: 2,
      failures: ['a.test.ts: b works'],
    });
  });

  it('counts a file that failed before any of its tests could', () => {
    expect(countTests(report('failed'))).toMatchObject({
      failed: 1,
      failures: ['a.test.ts: the file itself'],
    });
  });

  it('refuses what is no report', () => {
    expect(() => countTests('{}')).toThrow('Expected a JSON report');
  });

  it('writes the line that CI reads, with skipped tests only when there are some', () => {
    expect(summaryLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
    expect(summaryLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
  });
});
