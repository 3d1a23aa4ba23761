import { monotonicMs } from '../../src/time/clock.ts';

/** One server-sent event, with the moment at which it came. */
export interface SseEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
  readonly atMs: number;
}

/** A stream of events read by hand, so that a test sees each one and decides when it leaves. */
export class SseReader implements AsyncIterable<SseEvent> {
  readonly response: Response;
  /** What has been read so far. */
  readonly seen: SseEvent[] = [];
  readonly #abort: AbortController;
  readonly #events: AsyncGenerator<SseEvent, void, undefined>;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.#events = this.#read();
  }

  /** Opens it; resolves with the response's head. */
  static async open(url: string, init: RequestInit = {}): Promise<SseReader> {
    const abort = new AbortController();
    const response = await fetch(url, { ...init, signal: abort.signal });
    return new SseReader(response, abort);
  }

  /** Prompts a session, streaming. */
  static prompt(
    url: string,
    text: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<SseReader> {
    return SseReader.open(`${url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({
        model: 'sonnet',
        max_tokens: 1024,
        stream: true,
        messages: [{ role: 'user', content: text }],
      }),
    });
  }

  /** Follows the events of a session, after number `after` as `Last-Event-ID` says it. */
  static follow(url: string, session: string, after?: number): Promise<SseReader> {
    return SseReader.open(`${url}/sessions/${session}/events`, {
      headers: {
        accept: 'text/event-stream',
        ...(after !== undefined && { 'last-event-id': String(after) }),
      },
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<SseEvent> {
    return { next: () => this.#events.next() };
  }

  /** Reads on until an event matches, and gives that one. Throws when the stream ends before. */
  async until(predicate: (event: SseEvent) => boolean): Promise<SseEvent> {
    for await (const event of this) if (predicate(event)) return event;
    throw new Error(`The stream ended without it, after ${JSON.stringify(this.seen.slice(-3))}`);
  }

  /** Reads to the end and gives everything that was read, also before. */
  async rest(): Promise<readonly SseEvent[]> {
    for await (const _ of this);
    return this.seen;
  }

  /** Goes away without a word, as a client that was killed. */
  leave(): void {
    this.#abort.abort();
  }

  async *#read(): AsyncGenerator<SseEvent, void, undefined> {
    if (this.response.body === null) return;
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of this.response.body) {
        text += decoder.decode(chunk, { stream: true });
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const event = parse(part);
          if (event === undefined) continue;
          this.seen.push(event);
          yield event;
        }
      }
    } catch {
      // The server is gone, or we are: either way the stream is over.
    }
  }
}

function parse(part: string): SseEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of part.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const data = fields.get('data');
  if (data === undefined) return undefined;
  return {
    event: fields.get('event') ?? 'message',
    id: fields.get('id'),
    data: JSON.parse(data),
    atMs: monotonicMs(),
  };
}
