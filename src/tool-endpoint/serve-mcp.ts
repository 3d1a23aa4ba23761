import type { IncomingMessage, ServerResponse } from 'node:http';

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CallToolRequestSchema,
  CancelledNotificationSchema,
  ListToolsRequestSchema,
  type Tool,
} from '@modelcontextprotocol/sdk/types.js';

import type { ClientTool } from '../contracts/tool-endpoint.ts';
import { listedSchema } from './input-schema.ts';
import type { OfferedTools } from './offered-tools.ts';

/** Largest request. The input of a call is what a model has written in one message: far less. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** How often a held call shows that it is alive: the agent gives up a line that is silent for minutes. */
const KEEP_ALIVE_MS = 15_000;
/** The longest result that Claude Code shows to the model whole; beyond it, 25,000 tokens are the limit by default. */
const MAX_RESULT_CHARS = 500_000;
/** Where Claude Code tells the model's id of the call. */
const TOOL_USE_ID = 'claudecode/toolUseId';

/** Answers one request of an MCP client that may use these tools. Each request stands alone: nothing is remembered of it. */
export async function serveMcp(
  offered: OfferedTools,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const server = new Server({ name: 'roundhouse', version: '1' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: offered.tools.map(listed) }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, { signal, requestId }) => {
    const { name, arguments: input = {}, _meta: meta } = params;
    return offered.call({ requestId, name, input, toolUseId: meta?.[TOOL_USE_ID], signal });
  });
  // It names a request that came by another connection.
  server.setNotificationHandler(CancelledNotificationSchema, ({ params }) => {
    if (params.requestId !== undefined) offered.cancel(params.requestId);
  });
  const transport = new StreamableHTTPServerTransport({
    keepAliveMs: KEEP_ALIVE_MS,
    maxRequestBodySize: MAX_BODY_BYTES,
  });
  // Whoever waited has gone, or has its answer.
  response.once('close', () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

function listed({ name, description, inputSchema }: ClientTool): Tool {
  return {
    name,
    description,
    inputSchema: listedSchema(inputSchema),
    // Claude Code runs only those side by side that say they change nothing; here they do, for they only ask the client.
    annotations: { readOnlyHint: true },
    _meta: { 'anthropic/maxResultSizeChars': MAX_RESULT_CHARS },
  };
}
