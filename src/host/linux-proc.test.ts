import { describe, expect, it } from 'vitest';

import { linuxProcessTable, markOf, startTicks } from './linux-proc.ts';

const TAIL = '1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200';

describe('startTicks', () => {
  it('reads the start time behind a plain command name', () => {
    expect(startTicks(`42 (node) S ${TAIL}`)).toBe('987654');
  });

  it('is not fooled by spaces and parentheses in the command name', () => {
    expect(startTicks(`42 (a) S 9 (b c)) R ${TAIL}`)).toBe('987654');
  });

  it('takes a dead process that waits to be reaped for gone', () => {
    expect(startTicks(`42 (node) Z ${TAIL}`)).toBeUndefined();
  });

  it('gives nothing for a text that is cut short', () => {
    expect(startTicks('42 (node) S 1 1')).toBeUndefined();
    expect(startTicks('')).toBeUndefined();
  });
});

describe('markOf', () => {
  it('finds the mark among the entries of an environment', () => {
    expect(markOf('PATH=/bin\0ROUNDHOUSE_PROCESS_MARK=clnt_1\0HOME=/\0')).toBe('clnt_1');
  });

  it('does not take another variable that ends or begins alike for it', () => {
    expect(markOf('X_ROUNDHOUSE_PROCESS_MARK=a\0ROUNDHOUSE_PROCESS_MARKS=b\0')).toBeUndefined();
    expect(markOf('NOTE=ROUNDHOUSE_PROCESS_MARK=clnt_1\0')).toBeUndefined();
  });
});

describe.runIf(process.platform === 'linux')('the table of this machine', () => {
  it('tells the same start time for a process each time, and none for a pid that nobody has', async () => {
    const table = linuxProcessTable();
    const first = await table.startedAt(process.pid);
    expect(first).toMatch(/^[0-9a-f-]{36}:\d+$/);
    expect(await table.startedAt(process.pid)).toBe(first);
    expect(await table.startedAt(2 ** 30)).toBeUndefined();
    expect(await table.memoryBytes(2 ** 30)).toBeUndefined();
  });
});
