import { Agent, createServer, get } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { sseEvent, SseWriter } from './sse-writer.ts';

const options = {
  headers: {},
  heartbeat: ': beat\n\n',
  heartbeatMs: 60_000,
  readerMaxLagMs: 60_000,
};
const TEXT = sseEvent('a', JSON.stringify('naïve 🚂 text'));

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  ends.push(() => server.closeAllConnections());
  ends.push(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += String(piece);
  return text;
}

/** Everything that a server says to a request written by hand. */
async function rawAnswer(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  ends.push(() => socket.destroy());
  socket.end(request);
  let text = '';
  for await (const piece of socket.setEncoding('utf8')) text += String(piece);
  return text;
}

describe('on the wire', () => {
  test('streams one after the other on one connection are whole, and leave no listener on it', async () => {
    const sockets = new Set<Socket>();
    const listeners: number[] = [];
    const port = await serve((_request, response) => {
      const { socket } = response;
      if (socket === null) throw new Error('no socket');
      sockets.add(socket);
      listeners.push(socket.listenerCount('drain'));
      const writer = new SseWriter(response, options);
      writer.send(TEXT);
      setImmediate(() => {
        writer.send(TEXT);
        writer.end();
      });
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    ends.push(() => agent.destroy());
    for (let round = 0; round < 3; round += 1) {
      const request = get({ port, agent });
      const response: IncomingMessage = await new Promise((resolve) => {
        request.once('response', resolve);
      });
      expect(response.headers['transfer-encoding']).toBe('chunked');
      expect(await textOf(response)).toBe(TEXT + TEXT);
    }
    expect(sockets.size).toBe(1);
    expect(new Set(listeners).size).toBe(1);
  });

  test('a client of HTTP/1.0 gets the body without chunks', async () => {
    const port = await serve((_request, response) => {
      const writer = new SseWriter(response, options);
      writer.send(TEXT);
      writer.end();
    });
    const answer = await rawAnswer(port, 'GET / HTTP/1.0\r\n\r\n');
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(TEXT);
  });

  test('answers to requests that came together keep their order', async () => {
    const writers: SseWriter[] = [];
    const port = await serve((request, response) => {
      const writer = new SseWriter(response, options);
      writer.send(sseEvent('path', JSON.stringify(request.url)));
      writers.push(writer);
      // The second is done first.
      if (writers.length === 2) for (const each of [...writers].toReversed()) each.end();
    });
    const host = 'HTTP/1.1\r\nhost: a\r\n';
    const answer = await rawAnswer(
      port,
      `GET /1 ${host}\r\nGET /2 ${host}connection: close\r\n\r\n`,
    );
    expect([...answer.matchAll(/data: "(.*)"/g)].map(([, path]) => path)).toEqual(['/1', '/2']);
    expect(answer.match(/^HTTP\/1.1 200/gm)).toHaveLength(2);
  });

  test('a client that does not read blocks the writer until it does', async () => {
    const piece = sseEvent('a', JSON.stringify('x'.repeat(60_000)));
    let sent = 0;
    const blocked = Promise.withResolvers<SseWriter>();
    const port = await serve((_request, response) => {
      const writer = new SseWriter(response, options);
      const fill = (): void => {
        while (!writer.blocked) {
          writer.send(piece);
          writer.send(piece);
          sent += 2;
        }
        blocked.resolve(writer);
      };
      fill();
    });
    const response: IncomingMessage = await new Promise((resolve) => {
      get({ port, agent: false }, resolve);
    });
    const writer = await blocked.promise;
    const reading = textOf(response);
    await writer.drained();
    expect(writer.blocked).toBe(false);
    writer.end();
    expect((await reading).length).toBe(sent * piece.length);
  });
});
