import type Anthropic from '@anthropic-ai/sdk';
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type {
  BetaManagedAgentsEventParams as SentEvent,
  BetaManagedAgentsStreamSessionEvents as StreamEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';

/** A session of a new agent with these tools, in a fresh workspace. */
export async function sessionWith(
  { beta }: Anthropic,
  tools: AgentCreateParams['tools'] = [],
): Promise<string> {
  const agent = await beta.agents.create({ name: 'A', model: 'sonnet', tools });
  const environment = await beta.environments.create({ name: 'E' });
  const session = await beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  return session.id;
}

/** Claude Code's own tools; those that are named wait for leave. */
export function toolset(...ask: readonly ('bash' | 'write')[]): AgentCreateParams['tools'] {
  const configs = ask.map((name) => ({
    name,
    permission_policy: { type: 'always_ask' as const },
  }));
  return [{ type: 'agent_toolset_20260401', configs }];
}

export function userMessage(text: string): SentEvent {
  return { type: 'user.message', content: [{ type: 'text', text }] };
}

/** Leave for a call; with a message, it is denied. */
export function confirmation(toolUseId: string, denial?: string): SentEvent {
  const head = { type: 'user.tool_confirmation' as const, tool_use_id: toolUseId };
  return denial === undefined
    ? { ...head, result: 'allow' }
    : { ...head, result: 'deny', deny_message: denial };
}

/** Sends events and reads what happens until the session is idle. `onEvent` is waited for. */
export async function untilIdle(
  client: Anthropic,
  id: string,
  events: SentEvent[],
  onEvent: (event: StreamEvent) => void | Promise<void> = () => undefined,
): Promise<StreamEvent[]> {
  const stream = await client.beta.sessions.events.stream(id, { event_deltas: ['agent.message'] });
  await client.beta.sessions.events.send(id, { events });
  const seen: StreamEvent[] = [];
  for await (const event of stream) {
    seen.push(event);
    await onEvent(event);
    if (event.type === 'session.status_idle') break;
  }
  return seen;
}

/** Why the last of these events says that the session is idle, and the calls that it waits for. */
export function stopOf(events: readonly StreamEvent[]): { type: string; waiting: string[] } {
  const last = events.at(-1);
  if (last?.type !== 'session.status_idle') throw new Error(`Not idle: ${last?.type}`);
  const { stop_reason: reason } = last;
  return {
    type: reason.type,
    waiting: reason.type === 'requires_action' ? reason.event_ids : [],
  };
}

/** Every event of a session that is kept. */
export async function keptEvents({ beta }: Anthropic, id: string): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of beta.sessions.events.list(id)) events.push(event);
  return events;
}

/** What the agent has said in these events. */
export function answerIn(events: readonly StreamEvent[]): string {
  return events
    .flatMap((event) => (event.type === 'agent.message' ? event.content : []))
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('');
}
