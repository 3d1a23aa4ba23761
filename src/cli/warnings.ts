import type { EventEmitter } from 'node:events';

/**
 * Codes of warnings about what is meant. `CLAUDE_SDK_CAN_USE_TOOL_SHADOWED`: tools that a session allows are not asked
 * about; the driver looks at every call in a hook of its own besides.
 */
const MEANT: ReadonlySet<string> = new Set(['CLAUDE_SDK_CAN_USE_TOOL_SHADOWED']);

/** Prints Node's warnings as `print` likes, but for those about what is meant. In place of what Node does with them. */
export function showWarnings(process: EventEmitter, print: (text: string) => void): void {
  process.removeAllListeners('warning');
  process.on('warning', (warning: Error & { readonly code?: string }) => {
    if (warning.code === undefined || !MEANT.has(warning.code))
      print(`${warning.name}: ${warning.message}\n`);
  });
}
