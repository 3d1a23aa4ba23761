import type { BetaManagedAgentsAgentParams } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';

/** The agent that `ID` or `ID@VERSION` names. Without a version it is the one that holds. */
export function agentReference(text: string): BetaManagedAgentsAgentParams {
  const [, id, version] = /^(.+)@(\d{1,9})$/.exec(text) ?? [];
  return id === undefined
    ? { type: 'agent', id: text }
    : { type: 'agent', id, version: Number(version) };
}
