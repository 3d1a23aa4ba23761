/** One server-sent event; `data` as it was sent. */
export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** Who ended a stream: the server in good order, the network (or the death of the server), or we. */
export type StreamClose = 'ended' | 'broken' | 'left';

/** A response of server-sent events, read one by one at the reader's own pace. */
export class EventStream {
  readonly response: Response;
  readonly #signal: AbortSignal;
  #close: StreamClose | undefined;

  private constructor(response: Response, signal: AbortSignal) {
    this.response = response;
    this.#signal = signal;
  }

  /** Resolves with the response's head; rejects when there is none. Aborting `signal` leaves without a word. */
  static async open(url: string, init: RequestInit, signal: AbortSignal): Promise<EventStream> {
    return new EventStream(await fetch(url, { ...init, signal }), signal);
  }

  /** Undefined while it goes on. */
  get close(): StreamClose | undefined {
    return this.#close;
  }

  /** Everything, once. Never throws: {@link EventStream.close} says how it ended. */
  async *events(): AsyncGenerator<StreamEvent, void, undefined> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of this.response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const event = parse(part);
          if (event !== undefined) yield event;
        }
      }
      this.#close = 'ended';
    } catch {
      // The error says only that the connection is gone; whose doing it was is known here.
      this.#close = this.#signal.aborted ? 'left' : 'broken';
    } finally {
      this.#close ??= 'left';
    }
  }
}

/** Undefined for a comment. */
function parse(part: string): StreamEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of part.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const data = fields.get('data');
  if (data === undefined) return undefined;
  return { event: fields.get('event') ?? 'message', id: fields.get('id'), data };
}
