import type Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { ToolError } from '@anthropic-ai/sdk/lib/tools/ToolError';
import type {
  BetaManagedAgentsSendSessionEvents,
  BetaManagedAgentsSessionEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { betaAgentToolset20260401 } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import { expect } from 'vitest';
import { untilIdle, userMessage } from '../../support/agent-sessions.ts';
import { all, type Example, type Examples } from './example.ts';
import { aSession, CALL, MY_TOOL, WHERE } from './scene.ts';

/** Where a toolset of the client would work; nothing of it is called. */
const workdir = '/nonexistent';
const IMAGE = { type: 'base64', media_type: 'image/png', data: 'aGk=' } as const;

/** The tool runner with the SDK's own toolset and a tool of ours, in the words of four examples. */
const RUNS_TOOLS: Example = {
  async run({ alice: client }) {
    const { id } = await aSession(client);
    await send(client, id, `${CALL}a`);
    const myTool = betaTool({
      name: MY_TOOL.name,
      description: MY_TOOL.description,
      inputSchema: MY_TOOL.input_schema,
      run: ({ key }) => `the value of ${String(key)}`,
    });
    const seen: string[] = [];
    for await (const call of client.beta.sessions.events.toolRunner(id, {
      tools: [...betaAgentToolset20260401({ workdir }), myTool],
      maxIdleMs: 200,
    })) {
      seen.push(`${call.name} -> ${call.isError ? 'error' : 'ok'}`);
    }
    expect(seen).toEqual(['my_tool -> ok']);
    const results = (await all(client.beta.sessions.events.list(id))).filter(
      ({ type }) => type === 'user.custom_tool_result',
    );
    expect(results).toMatchObject([{ content: [{ type: 'text', text: 'the value of a' }] }]);
  },
};

/** The examples of `beta.sessions.events`, and of what runs tools on it. */
export const SESSION_EVENT_EXAMPLES: Examples = {
  'beta.sessions.events.list': {
    async run({ alice: client }) {
      const { id } = await aSession(client);
      await untilIdle(client, id, [userMessage('hello')]);
      const seen: BetaManagedAgentsSessionEvent['type'][] = [];
      for await (const event of client.beta.sessions.events.list(id)) seen.push(event.type);
      expect(seen).toEqual([
        'user.message',
        'session.status_running',
        'span.model_request_start',
        'agent.message',
        'span.model_request_end',
        'session.status_idle',
      ]);
    },
  },
  'beta.sessions.events.send': {
    async run({ alice: client }) {
      const { id } = await aSession(client);
      const sent: BetaManagedAgentsSendSessionEvents = await client.beta.sessions.events.send(id, {
        events: [
          {
            content: [
              {
                text: 'Where is my order #1234?',
                type: 'text',
              },
            ],
            type: 'user.message',
          },
        ],
      });
      expect(sent).toEqual({
        data: [
          {
            id: expect.stringMatching(/^sevt_/),
            type: 'user.message',
            content: [{ type: 'text', text: WHERE.asked }],
            processed_at: null,
          },
        ],
      });
    },
  },
  'beta.sessions.events.stream': {
    async run({ alice: client }) {
      const { id } = await aSession(client);
      const stream = await client.beta.sessions.events.stream(id);
      await send(client, id, 'hello');
      const seen: string[] = [];
      for await (const event of stream) {
        seen.push(event.type);
        if (event.type === 'session.status_idle') break;
      }
      expect(seen).toEqual(
        (await all(client.beta.sessions.events.list(id))).map(({ type }) => type),
      );
    },
  },
  'beta.sessions.events.toolRunner': RUNS_TOOLS,
  SessionToolRunner: RUNS_TOOLS,
  betaAgentToolset20260401: RUNS_TOOLS,
  'tools/agent-toolset/node': RUNS_TOOLS,
  ToolError: {
    async run({ alice: client, fixture }) {
      const { id } = await aSession(client);
      await send(client, id, `${CALL}a`);
      const tool = betaTool({
        name: MY_TOOL.name,
        description: MY_TOOL.description,
        inputSchema: MY_TOOL.input_schema,
        run: async () => {
          throw new ToolError([
            { type: 'text', text: 'Error details here' },
            { type: 'image', source: IMAGE },
          ]);
        },
      });
      const options = { tools: [tool], maxIdleMs: 200 };
      for await (const call of client.beta.sessions.events.toolRunner(id, options)) {
        expect(call).toMatchObject({ name: 'my_tool', isError: true, posted: true });
      }
      const given = fixture.driver.processes.flatMap(({ clientResults }) => clientResults);
      expect(given).toEqual([
        {
          content: [
            { type: 'text', text: 'Error details here' },
            { type: 'image', source: IMAGE },
          ],
          isError: true,
        },
      ]);
    },
  },
};

async function send(client: Anthropic, id: string, text: string): Promise<void> {
  await client.beta.sessions.events.send(id, { events: [userMessage(text)] });
}
