import { describe, expect, test } from 'vitest';

import type { McpServer, McpToolPolicy } from './agent-driver.ts';
import { clientToolsByAlias, mcpToolName, serversByAlias, toolKinds } from './tool-names.ts';

function server(name: string, tools: Record<string, McpToolPolicy> = {}): McpServer {
  return {
    name,
    url: 'https://x.example',
    defaultPolicy: 'ask',
    tools: Object.entries(tools).map(([tool, policy]) => ({ name: tool, policy })),
  };
}

const tool = (name: string) => ({ name, description: '', inputSchema: { type: 'object' } });

describe('the names of MCP servers', () => {
  test('are made so that they fit into the name of a tool, and no two are the same', () => {
    const names = ['github', 'My server.x', 'a__b', '日本', 'client', 'ide', 'My_server_x', '_'];
    expect([...serversByAlias({ mcpServers: names.map((name) => server(name)) }).keys()]).toEqual([
      'github',
      'My_server_x',
      'a_b',
      'server',
      'client-2',
      'ide-2',
      'My_server_x-2',
      'server-2',
    ]);
  });

  test('leave room for that of the tool', () => {
    const mcpServers = [server('s'.repeat(255)), server(`${'s'.repeat(254)}t`)];
    const aliases = [...serversByAlias({ mcpServers }).keys()];
    expect(aliases).toEqual(['s'.repeat(32), `${'s'.repeat(32)}-2`]);
  });
});

describe('the tools of a client', () => {
  test('keep their names, if these are not too long, and never take that of another', () => {
    const long = 'x'.repeat(128);
    const cut = 'x'.repeat(111);
    const clientTools = [tool(long), tool(cut), tool('short'), tool(`${'x'.repeat(127)}y`)];
    const byAlias = clientToolsByAlias({ clientTools });
    expect(byAlias.get('short')?.name).toBe('short');
    expect(byAlias.get(cut)?.name).toBe(cut);
    expect(new Set([...byAlias.values()].map(({ name }) => name)).size).toBe(4);
    for (const alias of byAlias.keys()) expect(`mcp__client__${alias}`.length).toBeLessThan(129);
    const alias = [...byAlias].find(([, { name }]) => name === long)?.[0] ?? '';
    expect(toolKinds({ clientTools })(`mcp__client__${alias}`)).toEqual({
      kind: 'client',
      name: long,
      alias,
    });
  });
});

describe('what a tool is', () => {
  const kindOf = toolKinds({
    clientTools: [tool('a__b')],
    mcpServers: [server('My server', { 'read.all': 'allow', drop: 'disabled' })],
  });

  test.each(['Bash', 'mcp', 'mcp__', 'mcp__x'])('%s is one of the agent', (name) => {
    expect(kindOf(name)).toEqual({ kind: 'own' });
  });

  test('is told with the names that the options have, and the policy that holds', () => {
    const its = { kind: 'mcp', server: 'My server' };
    expect(kindOf(mcpToolName('My_server', 'read.all'))).toEqual({
      ...its,
      name: 'read.all',
      policy: 'allow',
    });
    expect(kindOf('mcp__My_server__drop')).toEqual({ ...its, name: 'drop', policy: 'disabled' });
    expect(kindOf('mcp__My_server__x__y')).toEqual({ ...its, name: 'x__y', policy: 'ask' });
    expect(kindOf('mcp__client__a__b')).toMatchObject({ kind: 'client', name: 'a__b' });
  });

  test('of a server that nobody knows has to be asked for', () => {
    expect(kindOf('mcp__other__x')).toEqual({
      kind: 'mcp',
      server: 'other',
      name: 'x',
      policy: 'ask',
    });
  });
});
