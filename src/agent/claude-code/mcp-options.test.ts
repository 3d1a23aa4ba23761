import { expect, test } from 'vitest';

import type { McpServer } from '../../contracts/agent-driver.ts';
import { disabledMcpTools, mcpServers } from './mcp-options.ts';

const ENDPOINT = {
  url: 'http://127.0.0.1:1/mcp',
  token: 'secret',
  problemOf: () => undefined,
  close: () => {},
};

function server(name: string, over: Partial<McpServer> = {}): McpServer {
  return { name, url: `https://${name}.example`, defaultPolicy: 'ask', tools: [], ...over };
}

test("the client's tools may be held as long as a timer can count, for the agent has a limit of its own", () => {
  expect(mcpServers({}, ENDPOINT)).toEqual({
    client: {
      type: 'http',
      url: ENDPOINT.url,
      headers: { authorization: 'Bearer secret' },
      alwaysLoad: true,
      timeout: 2 ** 31 - 1,
    },
  });
});

test('servers are connected to under their aliases, and those without a single tool are not', () => {
  const off = { defaultPolicy: 'disabled' } as const;
  const one = { ...off, tools: [{ name: 'x', policy: 'ask' }] } as const;
  const options = { mcpServers: [server('client'), server('off', off), server('one', one)] };
  expect(mcpServers(options, undefined)).toEqual({
    'client-2': { type: 'http', url: 'https://client.example', alwaysLoad: true },
    one: { type: 'http', url: 'https://one.example', alwaysLoad: true },
  });
});

test('what is disabled by name is not there for the model', () => {
  const tools = [
    { name: 'keep', policy: 'allow' },
    { name: 'drop.it', policy: 'disabled' },
  ] as const;
  expect(disabledMcpTools({ mcpServers: [server('a b', { tools })] })).toEqual([
    'mcp__a_b__drop_it',
  ]);
});
