import { Agent, request, type IncomingMessage } from 'node:http';

import { IdleFinder } from './idle-finder.ts';
import { monotonicMs } from '../../src/time/clock.ts';

/** What the official client asks for with `event_deltas: ['agent.message']`. */
const STREAM_QUERY = 'beta=true&event_deltas[]=agent.message';

/** An open stream of a session. */
export interface SessionStream {
  /** When the session was idle again, on `monotonicMs`. Rejects when the stream ends before. */
  readonly idleAtMs: Promise<number>;
  /** Cuts the connection: streams of sessions have no end. */
  close(): void;
}

/** A client of sessions of the Managed Agents API that parses nothing while a clock runs. */
export class SessionStreams {
  /** For what is sent; a stream is cut in the end, so each has a connection of its own. */
  readonly #agent: Agent;
  readonly #url: string;

  /** `maxSockets`: connections that are kept to send on. */
  constructor(url: string, maxSockets: number) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets });
  }

  /** Resolves when the server has begun to answer: what is sent from now on is in the stream. */
  open(sessionId: string, onChunk: (chunk: Buffer) => void): Promise<SessionStream> {
    const url = `${this.#url}/v1/sessions/${sessionId}/events/stream?${STREAM_QUERY}`;
    return new Promise((resolve, reject) => {
      const sent = request(url, { agent: false }, (response) => {
        if (response.statusCode === 200) resolve(read(response, onChunk));
        else reject(new Error(`A stream was answered with ${response.statusCode}.`));
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  /** Sends a message into a session. Resolves when that has been answered. */
  send(sessionId: string, text: string): Promise<void> {
    const body = JSON.stringify({
      events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
    });
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.#url}/v1/sessions/${sessionId}/events?beta=true`,
        { method: 'POST', agent: this.#agent, headers: { 'content-type': 'application/json' } },
        (response) => {
          response.resume();
          response.once('error', reject);
          response.once('end', () => {
            if (response.statusCode === 200) resolve();
            else reject(new Error(`Events were answered with ${response.statusCode}.`));
          });
        },
      );
      sent.once('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function read(response: IncomingMessage, onChunk: (chunk: Buffer) => void): SessionStream {
  const idle = Promise.withResolvers<number>();
  const finder = new IdleFinder();
  response.on('data', (chunk: Buffer) => {
    onChunk(chunk);
    if (finder.add(chunk)) idle.resolve(monotonicMs());
  });
  // Also the error of a connection that we cut, when nobody waits any more.
  response.once('error', idle.reject);
  response.once('close', () => idle.reject(new Error('A stream ended before its turn.')));
  // Whoever waits gets it; after the turn nobody does.
  idle.promise.catch(() => {});
  return { idleAtMs: idle.promise, close: () => response.destroy() };
}
