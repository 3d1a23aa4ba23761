import { expect, test } from 'vitest';

import type { AgentOptions, McpServer } from '../../contracts/agent-driver.ts';
import { HiddenTools, type ToolsQuery } from './hidden-tools.ts';

/** Servers as an agent process sees them, and what it was told to hide. */
class FakeQuery implements ToolsQuery {
  asked = 0;
  readonly hidden: string[][] = [];
  servers: { name: string; tools: { name: string }[] }[];

  constructor(servers: Record<string, readonly string[]>) {
    this.servers = Object.entries(servers).map(([name, tools]) => ({
      name,
      tools: tools.map((tool) => ({ name: tool })),
    }));
  }

  mcpServerStatus(): ReturnType<ToolsQuery['mcpServerStatus']> {
    this.asked += 1;
    return Promise.resolve(this.servers.map((server) => ({ ...server, status: 'connected' })));
  }

  applyFlagSettings({ permissions }: { permissions: { deny: string[] } }): Promise<void> {
    this.hidden.push(permissions.deny);
    return Promise.resolve();
  }
}

function options(...servers: Partial<McpServer>[]): AgentOptions {
  const common = {
    name: 's',
    url: 'https://x.example',
    defaultPolicy: 'disabled',
    tools: [],
  } as const;
  return { mcpServers: servers.map((server) => ({ ...common, ...server })) };
}

const READ = [{ name: 'read.all', policy: 'allow' as const }];

test('hides what a server has beyond what is enabled, again only when there is more', async () => {
  const query = new FakeQuery({ s: ['read.all', 'drop'], t: ['x'] });
  const hidden = new HiddenTools(
    options({ tools: READ }, { name: 't', defaultPolicy: 'ask' }, { name: 'u' }),
  );
  await hidden.refresh(query);
  await hidden.refresh(query);
  expect(query.hidden).toEqual([['mcp__s__drop']]);
  query.servers[0]?.tools.push({ name: 'new one' });
  await hidden.refresh(query);
  expect(query.hidden.at(-1)).toEqual(['mcp__s__drop', 'mcp__s__new_one']);
});

test('asks nothing where every tool is enabled, or none', async () => {
  const query = new FakeQuery({ s: ['x'] });
  for (const servers of [options(), options({ defaultPolicy: 'ask' }), options({})])
    await new HiddenTools(servers).refresh(query);
  expect(query.asked).toBe(0);
});

test('hides what it could not hide the last time', async () => {
  const query = new FakeQuery({ s: ['drop'] });
  const hidden = new HiddenTools(options({ tools: READ }));
  const failing: ToolsQuery = {
    mcpServerStatus: () => query.mcpServerStatus(),
    applyFlagSettings: () => Promise.reject(new Error('refused')),
  };
  await expect(hidden.refresh(failing)).rejects.toThrow('refused');
  await hidden.refresh(query);
  expect(query.hidden).toEqual([['mcp__s__drop']]);
});
