import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

import type {
  ClientTool,
  OpenedTools,
  ToolCallHandler,
  ToolEndpoint,
} from '../contracts/tool-endpoint.ts';
import { errorText, RoundhouseError } from '../errors.ts';
import type { Logger } from '../telemetry/telemetry.ts';
import type * as offeredTools from './offered-tools.ts';
import type * as serveMcp from './serve-mcp.ts';

const HOST = '127.0.0.1';
const PATH = '/mcp';
const TOKEN_BYTES = 32;

/** What takes 0.3 s and 40 MB to load, and is loaded with the first tool. */
interface Protocol {
  readonly offered: typeof offeredTools;
  readonly mcp: typeof serveMcp;
}

/** The server while it listens. */
interface Listening {
  readonly server: Server;
  readonly protocol: Protocol;
  /** `127.0.0.1:41234` */
  readonly authority: string;
}

/**
 * The clients' tools as an MCP server on loopback, with a token for each process. It listens from the first tool on. Nothing
 * but that token is asked for, so a request from a web page (an `Origin`), or by another name than the address itself (DNS
 * rebinding), is refused before it.
 */
export class McpToolEndpoint implements ToolEndpoint {
  readonly #log: Logger;
  readonly #open = new Set<offeredTools.OfferedTools>();
  #listening: Promise<Listening> | undefined;
  #closed: Promise<void> | undefined;

  constructor({ log }: { readonly log: Logger }) {
    this.#log = log;
  }

  async open(tools: readonly ClientTool[], handler: ToolCallHandler): Promise<OpenedTools> {
    const { protocol, authority } = await this.#listen();
    // Closed meanwhile.
    if (this.#closed !== undefined) throw closed();
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const offered = new protocol.offered.OfferedTools({
      digest: protocol.offered.digestOf(token),
      tools,
      handler,
      onClose: (gone) => this.#open.delete(gone),
    });
    this.#open.add(offered);
    return {
      url: `http://${authority}${PATH}`,
      token,
      problemOf: (name, input) => offered.problemOf(name, input),
      close: () => offered.close(),
    };
  }

  async problemOf(tool: ClientTool): Promise<string | undefined> {
    const { schemaProblem } = await import('./offered-tools.ts');
    return schemaProblem(tool);
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #listen(): Promise<Listening> {
    if (this.#closed !== undefined) throw closed();
    this.#listening ??= this.#start();
    try {
      return await this.#listening;
    } catch (error) {
      this.#listening = undefined;
      throw new RoundhouseError(
        'session_connection_failed',
        `The endpoint of the clients' tools can't listen on ${HOST}: ${errorText(error)}.`,
        { cause: error },
      );
    }
  }

  async #start(): Promise<Listening> {
    const { createServer } = await import('node:http');
    const protocol: Protocol = {
      offered: await import('./offered-tools.ts'),
      mcp: await import('./serve-mcp.ts'),
    };
    // Node's own time limits are for requests to arrive; an answer may take for ever.
    const server = createServer((request, response) => {
      this.#handle({ server, protocol, authority: authorityOf(server) }, request, response).catch(
        (error: unknown) => {
          this.#log.warn('tool_endpoint_request_failed', { error: errorText(error) });
          response.destroy();
        },
      );
    });
    server.listen(0, HOST);
    await once(server, 'listening');
    return { server, protocol, authority: authorityOf(server) };
  }

  async #handle(
    { protocol, authority }: Listening,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { host, origin, authorization } = request.headers;
    if (host !== authority || origin !== undefined) return refuse(response, 403);
    const offered = this.#offeredTo(protocol.offered.digestOf(bearerOf(authorization)));
    if (offered === undefined) return refuse(response, 401);
    if (request.url !== PATH) return refuse(response, 404);
    if (request.method !== 'POST') return refuse(response, 405);
    return protocol.mcp.serveMcp(offered, request, response);
  }

  /** Whose token it is. All are compared, each in constant time. */
  #offeredTo(digest: Buffer): offeredTools.OfferedTools | undefined {
    let found: offeredTools.OfferedTools | undefined;
    for (const offered of this.#open) if (offered.accepts(digest)) found = offered;
    return found;
  }

  async #end(): Promise<void> {
    for (const offered of this.#open) offered.close();
    const listening = await this.#listening?.catch(() => undefined);
    if (listening === undefined) return;
    const gone = once(listening.server, 'close');
    listening.server.close();
    listening.server.closeAllConnections();
    await gone;
  }
}

function closed(): RoundhouseError {
  return new RoundhouseError(
    'session_connection_failed',
    "The endpoint of the clients' tools is closed.",
  );
}

/** Without a body: whoever has no token learns nothing. */
function refuse(response: ServerResponse, status: 401 | 403 | 404 | 405): void {
  response.writeHead(status, { connection: 'close', ...(status === 405 && { allow: 'POST' }) });
  response.end();
}

function bearerOf(authorization: string | undefined): string {
  return /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
}

function authorityOf(server: Server): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `${HOST}:${port}`;
}
