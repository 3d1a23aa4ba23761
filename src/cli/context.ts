import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** Commands that have a script of their own in package.json. */
const SCRIPTS = new Map([
  ['serve', 'npm start'],
  ['chat', 'npm run chat'],
]);

/** The world that a command sees; tests bring their own. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Emits `SIGINT` and `SIGTERM`, as `process` does. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>;
  /** Emits `warning`, as `process` does. Absent, they are left as they are. */
  readonly warnings?: EventEmitter;
}

/** This process's own. */
export const PROCESS_CONTEXT: CliContext = {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  warnings: process,
};

/** The command as a person types it here, with its flags: in the repository through npm, else by its name. */
export function typedCommand(name: string, ...flags: readonly string[]): string {
  if (!import.meta.url.endsWith('.ts')) return ['npx roundhouse', name, ...flags].join(' ');
  const script = SCRIPTS.get(name);
  if (script === undefined) return ['npm run roundhouse --', name, ...flags].join(' ');
  // What npm does not find behind two dashes it takes for itself.
  return flags.length === 0 ? script : [script, '--', ...flags].join(' ');
}
