import type Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type {
  BetaManagedAgentsSession,
  SessionCreateParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { echoScript, type Script } from '../../../src/agent/scripted/script.ts';
import { worksFor } from '../../support/scripts.ts';

/** What the SDK's examples ask an agent, and what ours answers after a moment. */
export const WHERE = { asked: 'Where is my order #1234?', answer: 'On its way.' } as const;

/** A tool of the client: `myTool` of the examples. */
export const MY_TOOL = {
  type: 'custom' as const,
  name: 'my_tool',
  description: 'Looks a key up.',
  input_schema: {
    type: 'object' as const,
    properties: { key: { type: 'string' as const } },
    required: ['key'],
  },
};

/** A prompt that makes the agent call {@link MY_TOOL} with the word behind it. */
export const CALL = 'call ';

/** How the agents of the examples work. */
export const SCRIPT: Script = (context) => {
  const { text } = context;
  if (text === WHERE.asked) return worksFor(1_000, WHERE.answer);
  if (!text.startsWith(CALL)) return echoScript(context);
  const input = { key: text.slice(CALL.length) };
  return {
    steps: [{ asks: [{ tool: `mcp__client__${MY_TOOL.name}`, input }] }, { text: ['done'] }],
  };
};

/** An agent and an environment for sessions. */
export async function parts({
  beta,
}: Anthropic): Promise<{ agent: BetaManagedAgentsAgent; environment_id: string }> {
  const agent = await beta.agents.create({
    model: 'claude-opus-5-5',
    name: 'Reviewer',
    system: 'You review.',
    tools: [MY_TOOL],
    metadata: { team: 'a' },
  });
  const environment = await beta.environments.create({ name: 'here' });
  return { agent, environment_id: environment.id };
}

/** A session that has done nothing yet. */
export async function aSession(
  client: Anthropic,
  over: Partial<SessionCreateParams> = {},
): Promise<BetaManagedAgentsSession> {
  const { agent, environment_id } = await parts(client);
  return client.beta.sessions.create({ agent: agent.id, environment_id, ...over });
}
