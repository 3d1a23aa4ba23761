import type { Reporter, TestModule } from 'vitest/node';

/** Reporter of vitest: at the end, every test that was left out by itself, and why. */
export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const { children } of modules) {
      for (const test of children.allTests('skipped')) {
        const result = test.result();
        if (result.state !== 'skipped' || result.note === undefined) continue;
        console.log(`skipped: ${test.fullName} (${result.note})`);
      }
    }
  }
}
