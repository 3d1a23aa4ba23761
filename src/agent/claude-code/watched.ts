import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';

import type { AgentWatcher } from '../../contracts/agent-watcher.ts';
import type { Redact } from './redact.ts';

/** Shows what a process says to whoever looks at its session. Where nobody does it costs a look into a map. */
export function watchedBy(
  watcher: AgentWatcher | undefined,
  sessionId: string,
  redact: Redact,
): (message: SDKMessage) => void {
  if (watcher === undefined) return () => {};
  // In the texts themselves: a secret that JSON spells otherwise would not be found in it.
  const withoutSecrets = (_field: string, value: unknown): unknown =>
    typeof value === 'string' ? redact(value) : value;
  return (message) => {
    if (!watcher.watches(sessionId)) return;
    const json = JSON.stringify(message, withoutSecrets);
    watcher.show(sessionId, { type: message.type, json });
  };
}
