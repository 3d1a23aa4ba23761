import { describe, expect, test } from 'vitest';
import type { AgentDefinition } from '../definitions/agent.ts';
import { planAgent, type AgentRules } from './agent-plan.ts';

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

const RULES: AgentRules = {
  ownTools: true,
  mcpServerProblem: () => undefined,
  toolProblem: () => Promise.resolve(undefined),
};

const plan = (over: Partial<AgentDefinition>, rules: Partial<AgentRules> = {}) =>
  planAgent(agent(over), { ...RULES, ...rules });

function custom(name: string): Extract<AgentDefinition['tools'][number], { type: 'custom' }> {
  return { type: 'custom', name, description: '', input_schema: { type: 'object' } };
}

function onlyHttps(url: string): string | undefined {
  return url.startsWith('http:') ? 'no http' : undefined;
}

function noB({ name }: { readonly name: string }): Promise<string | undefined> {
  return Promise.resolve(name === 'b' ? 'no such type' : undefined);
}

describe('the plan of an agent', () => {
  test('without tools has none, whatever the agent has by default', async () => {
    expect(await plan({})).toEqual({ model: 'sonnet', tools: [], allowedTools: [] });
  });

  test("replaces the agent's own system prompt", async () => {
    expect((await plan({ system: 'Be brief.' })).systemPrompt).toEqual({
      mode: 'replace',
      text: 'Be brief.',
    });
    expect('systemPrompt' in (await plan({}))).toBe(false);
  });

  test('names the whole toolset in the words of Claude Code', async () => {
    const all = ['Bash', 'Read', 'Write', 'Edit', 'Glob', 'Grep', 'WebFetch', 'WebSearch'];
    expect(await plan({ tools: [toolset()] })).toMatchObject({
      tools: all,
      allowedTools: all,
    });
  });

  test('asks first where the policy is not to allow, and leaves out what is switched off', async () => {
    const options = await plan({
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
    expect(options).toMatchObject({
      tools: ['Bash', 'Read', 'Write'],
      allowedTools: ['Read'],
      askFirst: ['Bash', 'Write'],
    });
  });

  test('lets one tool differ from the rest', async () => {
    const options = await plan({
      tools: [toolset({ configs: [{ name: 'bash', type: 'bash', ...OFF }] })],
    });
    expect(options.tools).toHaveLength(7);
    expect(options.tools).not.toContain('Bash');
  });

  test('has the tools of the client, the MCP servers with their policies, and the effort', async () => {
    const lookUp = { ...custom('look_up'), description: 'Looks up.' };
    const mcp = {
      type: 'mcp_toolset',
      mcp_server_name: 'b',
      default_config: { enabled: true, permission_policy: ASK },
      configs: [
        { name: 'read', enabled: true, permission_policy: ALLOW },
        { name: 'drop', enabled: false, permission_policy: ALLOW },
        { name: 'judged', enabled: true, permission_policy: AUTO },
      ],
    } as const;
    const options = await plan({
      model: { id: 'sonnet', effort: { type: 'max' } },
      tools: [lookUp, { ...mcp, configs: [...mcp.configs] }],
      mcp_servers: [{ type: 'url', name: 'b', url: 'https://b.example' }],
    });
    expect(options).toMatchObject({
      effort: 'max',
      clientTools: [{ name: 'look_up', description: 'Looks up.', inputSchema: { type: 'object' } }],
      mcpServers: [
        {
          name: 'b',
          url: 'https://b.example',
          defaultPolicy: 'ask',
          tools: [
            { name: 'read', policy: 'allow' },
            { name: 'drop', policy: 'disabled' },
            { name: 'judged', policy: 'ask' },
          ],
        },
      ],
    });
  });

  test('is none with an MCP server that is not allowed', async () => {
    const mcp_servers = [
      { type: 'url' as const, name: 'a', url: 'https://a.example' },
      { type: 'url' as const, name: 'b', url: 'http://10.0.0.1' },
    ];
    await expect(plan({ mcp_servers }, { mcpServerProblem: onlyHttps })).rejects.toMatchObject({
      code: 'unsupported_field',
      message: expect.stringContaining('mcp_servers.1.url (no http)'),
    });
  });

  test('is none with a custom tool whose schema is none', async () => {
    await expect(
      plan({ tools: [custom('a'), custom('b')] }, { toolProblem: noB }),
    ).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('tools.1.input_schema'),
    });
  });

  test('is none where own tools are switched off and one is enabled', async () => {
    const off = { ownTools: false };
    await expect(plan({ tools: [toolset()] }, off)).rejects.toMatchObject({
      code: 'unsupported_field',
      message: expect.stringContaining('tools.0'),
    });
    const none = await plan({ tools: [toolset({ default_config: OFF })] }, off);
    expect(none.tools).toEqual([]);
  });
});
