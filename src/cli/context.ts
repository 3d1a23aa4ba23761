import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

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

/** The command as a person types it here: in the repository through npm, else by its name. */
export function typedCommand(name: string): string {
  if (!import.meta.url.endsWith('.ts')) return `npx roundhouse ${name}`;
  if (name === 'serve') return 'npm start';
  return name === 'chat' ? 'npm run chat' : `npm run roundhouse -- ${name}`;
}
