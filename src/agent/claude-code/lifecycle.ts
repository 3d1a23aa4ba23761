import { isRecord } from './unknown.ts';

/** What the agent tells about a prompt by its uuid. The SDK passes it on without a type of its own. */
export interface PromptLifecycle {
  readonly promptId: string;
  readonly state: 'queued' | 'started' | 'completed' | 'cancelled';
}

const STATES: readonly string[] = ['queued', 'started', 'completed', 'cancelled'];

function isState(value: unknown): value is PromptLifecycle['state'] {
  return typeof value === 'string' && STATES.includes(value);
}

/** Reads a `command_lifecycle` message; undefined for any other. */
export function promptLifecycle(message: unknown): PromptLifecycle | undefined {
  if (!isRecord(message) || message['type'] !== 'command_lifecycle') return undefined;
  const { command_uuid: promptId, state } = message;
  return typeof promptId === 'string' && isState(state) ? { promptId, state } : undefined;
}
