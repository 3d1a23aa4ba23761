import { once } from 'node:events';
import { createServer } from 'node:http';

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

/** Somebody else's MCP server, on loopback, that answers each call with the name of the tool. */
export interface McpTestServer {
  readonly url: string;
  /** Names of the tools that were called, in order. */
  readonly calls: readonly string[];
  /** Requests so far, whatever they ask for. */
  readonly requests: number;
  close(): Promise<void>;
}

export async function startMcpServer(tools: readonly string[]): Promise<McpTestServer> {
  const calls: string[] = [];
  let requests = 0;
  const http = createServer((request, response) => {
    requests += 1;
    if (request.method !== 'POST') {
      response.writeHead(405).end();
      return;
    }
    const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: tools.map((name) => ({ name, inputSchema: { type: 'object' as const } })),
    }));
    server.setRequestHandler(CallToolRequestSchema, ({ params: { name } }) => {
      calls.push(name);
      return { content: [{ type: 'text', text: `answer of ${name}` }] };
    });
    const transport = new StreamableHTTPServerTransport();
    response.once('close', () => void server.close());
    server
      .connect(transport)
      .then(() => transport.handleRequest(request, response))
      .catch(() => response.destroy());
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    calls,
    get requests() {
      return requests;
    },
    async close() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}
