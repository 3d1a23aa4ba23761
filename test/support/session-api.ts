import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';

/** An open stream of events. */
export interface OpenStream {
  /** Whence the client wanted it: the id of the last event that it had seen. */
  readonly lastEventId: string | undefined;
  readonly query: URLSearchParams;
  send(...events: readonly { readonly type: string; readonly id?: string }[]): void;
  /** Cuts the connection, as a network does. */
  cut(): void;
  /** Ends it, as a server does that stops. */
  end(): void;
}

/** What a client sent. */
export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  /** How long the official client waits for the answer, as it tells. s. */
  readonly timeoutSeconds: number;
}

/**
 * A server that speaks as much of the API of sessions as a test tells it to, for what a server of ours can't be made to do:
 * connections that break where a test wants it, events that come twice.
 */
export class SessionApi {
  readonly requests: SentRequest[] = [];
  readonly #streams: OpenStream[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #answers = new Map<string, { status: number; body: unknown }>();
  readonly #once = new Map<string, { status: number; body: unknown }>();
  readonly #held = new Map<string, () => void>();
  #url = '';

  static async start(): Promise<SessionApi> {
    const api = new SessionApi();
    const server = createServer((request, response) => void api.#handle(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    api.#url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return api;
  }

  get url(): string {
    return this.#url;
  }

  /** What is answered from now on, by method and path. */
  answer(route: string, body: unknown, status = 200): void {
    this.#answers.set(route, { status, body });
  }

  /** What is answered to the next one alone. */
  answerOnce(route: string, body: unknown, status = 200): void {
    this.#once.set(route, { status, body });
  }

  /** Answers it as before again. */
  answerNoMore(route: string): void {
    this.#answers.delete(route);
  }

  /** Leaves the next one without an answer. Settles when its client has left. */
  hold(route: string): Promise<void> {
    return new Promise((resolve) => this.#held.set(route, resolve));
  }

  /** The n-th stream that was opened, when it is; 1 is the first. */
  async stream(number: number): Promise<OpenStream> {
    for (;;) {
      const found = this.#streams[number - 1];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The first request with that route and something in its body, when there is one. */
  async sent(route: string, part: string): Promise<SentRequest> {
    for (;;) {
      const found = this.requests.find(
        ({ method, path, body }) =>
          `${method} ${path}` === route && JSON.stringify(body).includes(part),
      );
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.#url);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    this.requests.push({
      method: request.method ?? '',
      path: pathname,
      body,
      timeoutSeconds: Number(request.headers['x-stainless-timeout']),
    });
    const route = `${request.method} ${pathname}`;
    const answer = this.#once.get(route) ?? this.#answers.get(route);
    this.#once.delete(route);
    const onLeft = this.#held.get(route);
    this.#held.delete(route);
    if (onLeft !== undefined) response.once('close', onLeft);
    else if (answer !== undefined) json(response, answer.status, answer.body);
    else if (pathname.endsWith('/events/stream')) this.#open(request, response, searchParams);
    else json(response, 404, wireError('not_found_error', `No answer to ${pathname}.`));
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #open(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': open\n\n');
    this.#streams.push({
      lastEventId: request.headers['last-event-id']?.toString(),
      query,
      send: (...events) => {
        for (const event of events) {
          const id = event.id === undefined ? '' : `id: ${event.id}\n`;
          response.write(`event: ${event.type}\n${id}data: ${JSON.stringify(event)}\n\n`);
        }
      },
      cut: () => response.destroy(),
      end: () => response.end(),
    });
  }
}

/** The body of a failure. */
export function wireError(type: string, message: string): object {
  return { type: 'error', error: { type, message } };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
