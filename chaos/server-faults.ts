import { DatabaseSync } from 'node:sqlite';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded into the server's process before the server itself (`node --import`), and into no other: what can be wrong with
 * the machine of a server without being wrong with this one. Told what to do by messages of its parent.
 *
 * The wall clock is off by so many milliseconds; the monotonic one, and with it every timer, goes on as on a real machine.
 * The disk is slow: each commit of the database takes so long, which holds the process up, for `node:sqlite` is
 * synchronous; and so does each file that is written or renamed, which does not.
 */
export interface ServerFaults {
  readonly clockOffsetMs: number;
  readonly slowDiskMs: number;
}

/** Holds the faults from the start on, as JSON: a clock that is off is so over a restart too. */
export const FAULTS_VARIABLE = 'CHAOS_SERVER_FAULTS';

let faults = faultsOf(JSON.parse(process.env[FAULTS_VARIABLE] ?? '{}'));
const cell = new Int32Array(new SharedArrayBuffer(4));

if (process.env[FAULTS_VARIABLE] !== undefined) install();

function install(): void {
  shiftClock();
  slowDatabase();
  slowFiles();
  process.on('message', (message) => {
    faults = faultsOf(message);
    // From here on, whatever held the server up before.
    process.send?.('suffering', () => {});
  });
  // It must not keep the server from ending.
  process.channel?.unref();
}

function shiftClock(): void {
  const nowMs = Date.now;
  const now = (): number => nowMs() + faults.clockOffsetMs;
  globalThis.Date = new Proxy(Date, {
    construct: (target, parameters, newTarget) =>
      Reflect.construct(target, parameters.length === 0 ? [now()] : parameters, newTarget),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
    apply: (target) => new target(now()).toString(),
  });
}

function slowDatabase(): void {
  const exec = Reflect.get(DatabaseSync.prototype, 'exec');
  DatabaseSync.prototype.exec = function execSlowly(this: DatabaseSync, sql: string): void {
    if (sql === 'commit' && faults.slowDiskMs > 0) Atomics.wait(cell, 0, 0, faults.slowDiskMs);
    Reflect.apply(exec, this, [sql]);
  };
}

function slowFiles(): void {
  const { writeFile, rename } = fs;
  fs.writeFile = async (...parameters: Parameters<typeof writeFile>): Promise<void> => {
    await delay();
    await writeFile(...parameters);
  };
  fs.rename = async (...parameters: Parameters<typeof rename>): Promise<void> => {
    await delay();
    await rename(...parameters);
  };
  // Named imports see it too.
  syncBuiltinESMExports();
}

async function delay(): Promise<void> {
  if (faults.slowDiskMs > 0)
    await new Promise((resolve) => void setTimeout(resolve, faults.slowDiskMs));
}

function faultsOf(message: unknown): ServerFaults {
  return {
    clockOffsetMs: field(message, 'clockOffsetMs'),
    slowDiskMs: field(message, 'slowDiskMs'),
  };
}

function field(message: unknown, name: keyof ServerFaults): number {
  const value: unknown =
    typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined;
  return typeof value === 'number' ? value : 0;
}
