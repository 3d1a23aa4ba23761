/** What a run of the tests came to. */
export interface TestCounts {
  readonly passed: number;
  /** Tests that failed, and files that failed without one of their tests having done so. */
  readonly failed: number;
  /** Skipped or to be written. */
  readonly skipped: number;
  /** Names of what failed. */
  readonly failures: readonly string[];
}

export const NO_TESTS: TestCounts = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** The part of vitest's JSON report (it has the form of Jest's) that we read. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Counts the tests in vitest's JSON report. Throws on anything else. */
export function countTests(text: string): TestCounts {
  const report: unknown = JSON.parse(text);
  if (!isReport(report)) throw new Error('Expected a JSON report of vitest with testResults.');
  let passed = 0;
  let skipped = 0;
  const failures: string[] = [];
  for (const { name, status, assertionResults } of report.testResults) {
    const failedBefore = failures.length;
    for (const test of assertionResults) {
      if (test.status === 'passed') passed += 1;
      else if (test.status === 'failed') failures.push(`${name}: ${test.fullName}`);
      else skipped += 1;
    }
    if (status === 'failed' && failures.length === failedBefore)
      failures.push(`${name}: the file itself`);
  }
  return { passed, failed: failures.length, skipped, failures };
}

/** The last line of a run, as CI reads it. */
export function summaryLine({ passed, failed, skipped }: Omit<TestCounts, 'failures'>): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

function isReport(value: unknown): value is Report {
  return (
    typeof value === 'object' &&
    value !== null &&
    'testResults' in value &&
    Array.isArray(value.testResults)
  );
}
