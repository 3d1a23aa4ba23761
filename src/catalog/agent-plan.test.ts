import { describe, expect, test } from 'vitest';
import type { AgentDefinition } from '../definitions/agent.ts';
import { planAgent } from './agent-plan.ts';

const ALLOW = { type: 'always_allow' } as const;
const ASK = { type: 'always_ask' } as const;
const AUTO = { type: 'auto' } as const;
const ON = { enabled: true, permission_policy: ALLOW };
const OFF = { enabled: false, permission_policy: ALLOW };

type Toolset = Extract<AgentDefinition['tools'][number], { type: 'agent_toolset_20260401' }>;

function agent(over: Partial<AgentDefinition> = {}): AgentDefinition {
  return {
    name: 'a',
    description: null,
    system: null,
    model: { id: 'sonnet' },
    tools: [],
    mcp_servers: [],
    metadata: {},
    ...over,
  };
}

function toolset(over: Partial<Toolset> = {}): Toolset {
  return { type: 'agent_toolset_20260401', default_config: ON, configs: [], ...over };
}

const plan = (over: Partial<AgentDefinition>) => planAgent(agent(over), { ownTools: true });

describe('the plan of an agent', () => {
  test('without tools has none, whatever the agent has by default', () => {
    expect(plan({})).toEqual({
      options: { model: 'sonnet', tools: [], allowedTools: [] },
      session: { askFirst: [], effort: undefined, mcpServers: [], customTools: [] },
    });
  });

  test("replaces the agent's own system prompt", () => {
    expect(plan({ system: 'Be brief.' }).options.systemPrompt).toEqual({
      mode: 'replace',
      text: 'Be brief.',
    });
    expect('systemPrompt' in plan({}).options).toBe(false);
  });

  test('names the whole toolset in the words of Claude Code', () => {
    const all = ['Bash', 'Read', 'Write', 'Edit', 'Glob', 'Grep', 'WebFetch', 'WebSearch'];
    expect(plan({ tools: [toolset()] }).options).toMatchObject({ tools: all, allowedTools: all });
  });

  test('asks first where the policy is not to allow, and leaves out what is switched off', () => {
    const { options, session } = plan({
      tools: [
        toolset({
          default_config: OFF,
          configs: [
            { name: 'read', type: 'read', ...ON },
            { name: 'write', type: 'write', enabled: true, permission_policy: ASK },
            { name: 'bash', type: 'bash', enabled: true, permission_policy: AUTO },
            { name: 'edit', type: 'edit', enabled: false, permission_policy: ASK },
          ],
        }),
      ],
    });
    expect(options).toMatchObject({ tools: ['Bash', 'Read', 'Write'], allowedTools: ['Read'] });
    expect(session.askFirst).toEqual(['Bash', 'Write']);
  });

  test('lets one tool differ from the rest', () => {
    const { options } = plan({
      tools: [toolset({ configs: [{ name: 'bash', type: 'bash', ...OFF }] })],
    });
    expect(options.tools).toHaveLength(7);
    expect(options.tools).not.toContain('Bash');
  });

  test('hands to the session what a driver does not take', () => {
    const mcp = {
      type: 'mcp_toolset',
      mcp_server_name: 'b',
      default_config: { enabled: true, permission_policy: ASK },
      configs: [],
    } as const;
    const custom = {
      type: 'custom',
      name: 'look_up',
      description: '',
      input_schema: { type: 'object' },
    } as const;
    const { session } = plan({
      model: { id: 'sonnet', effort: { type: 'max' } },
      tools: [custom, { ...mcp, configs: [] }],
      mcp_servers: [{ type: 'url', name: 'b', url: 'https://b.example' }],
    });
    expect(session).toEqual({
      askFirst: [],
      effort: 'max',
      mcpServers: [{ name: 'b', url: 'https://b.example', toolset: mcp }],
      customTools: [custom],
    });
  });

  test('is none where own tools are switched off and one is enabled', () => {
    const off = { ownTools: false };
    expect(() => planAgent(agent({ tools: [toolset()] }), off)).toThrow(
      expect.objectContaining({
        code: 'unsupported_field',
        message: expect.stringContaining('tools.0'),
      }),
    );
    expect(
      planAgent(agent({ tools: [toolset({ default_config: OFF })] }), off).options.tools,
    ).toEqual([]);
  });
});
