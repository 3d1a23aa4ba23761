import { Agent, request, type IncomingMessage } from 'node:http';
import { z } from 'zod';

const LAST_EVENT = 'event: end\ndata: ';
/** More than the last event of a stream is long. */
const KEPT_CHARS = 4_096;

const endSchema = z.object({ reason: z.string(), reconnect: z.boolean() });

const agent = new Agent({ maxSockets: Infinity });

/** A reader of a session's events that takes only what it is told to take, and keeps nothing of it but the end. */
export class StalledReader {
  readonly #response: IncomingMessage;
  readonly #closed: Promise<void>;
  #last = '';
  #wanted = 0;
  #taken: (() => void) | undefined;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.#closed = new Promise((resolve) => {
      response.once('close', resolve);
    });
    // A connection that is cut has no end, and that is looked at.
    response.once('error', () => {});
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      this.#last = (this.#last + text).slice(-KEPT_CHARS);
      this.#wanted -= text.length;
      if (this.#wanted > 0) return;
      response.pause();
      this.#taken?.();
    });
    response.pause();
  }

  /** Connects, and takes nothing; resolves when the answer's headers are there. */
  static open(url: string, name: string): Promise<StalledReader> {
    return new Promise((resolve, reject) => {
      const headers = { accept: 'text/event-stream' };
      const sent = request(`${url}/sessions/${name}/events`, { agent, headers }, (response) => {
        if (response.statusCode === 200) resolve(new StalledReader(response));
        else reject(new Error(`Status ${response.statusCode}.`));
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  /** Takes at least so much of what waits for it, or all until its stream ends, and stalls again. */
  async take(chars: number): Promise<void> {
    const taken = new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
    this.#wanted = chars;
    this.#response.resume();
    await Promise.race([taken, this.#closed]);
  }

  /** Reads on until its stream ends. Throws unless the server has said that it cut this reader. */
  async readToEnd(): Promise<void> {
    await this.take(Infinity);
    const at = this.#last.lastIndexOf(LAST_EVENT);
    if (at < 0) throw new Error(`A stream broke off without its end: ${this.#last.slice(-200)}`);
    const end = endSchema.parse(JSON.parse(this.#last.slice(at + LAST_EVENT.length)));
    if (end.reason !== 'reader_too_slow' || !end.reconnect) {
      throw new Error(`Another end than expected: ${JSON.stringify(end)}`);
    }
  }

  /** Goes away, whatever waits for it. */
  leave(): void {
    this.#response.destroy();
  }
}
