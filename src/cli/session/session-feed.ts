import { APIError } from '@anthropic-ai/sdk';
import type Anthropic from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsStreamSessionEvents,
  EventStreamParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';

import { sleep } from '../../time/timers.ts';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** Events that are remembered, so that one that is sent again is not shown again. The server sends none again; a proxy may. */
const REMEMBERED = 1_000;

/** What happens in a session. */
export type FeedEvent = BetaManagedAgentsStreamSessionEvents;

/** Where a reader of a session begins. */
export interface FeedStart {
  /** With the event of that number; 1 is the first. */
  readonly from?: number;
  /** Behind the event of that id. Neither: with what happens from now on. */
  readonly after?: string;
}

export interface SessionFeedOptions extends FeedStart {
  readonly client: Anthropic;
  readonly sessionId: string;
  /** Types to preview. Default none. */
  readonly previews?: EventStreamParams['event_deltas'];
  readonly signal: AbortSignal;
  /** Is told that the connection was lost, and why; the feed goes on by itself. */
  readonly onLost?: (error: unknown) => void;
}

type Connected = AsyncIterable<FeedEvent>;

/**
 * The events of a session, each once, over however many connections that takes: a new one begins behind the last event that
 * was seen. Previews of what is on its way may begin anew on a new connection, with an `event_start`.
 */
export class SessionFeed implements AsyncIterable<FeedEvent> {
  readonly #options: SessionFeedOptions;
  readonly #seen = new Set<string>();
  #lastId: string | undefined;
  #first: Connected | undefined;

  private constructor(options: SessionFeedOptions) {
    this.#options = options;
    this.#lastId = options.after;
  }

  /** Connects. Rejects with the failure of the request; from then on only a refusal ends the feed. */
  static async open(options: SessionFeedOptions): Promise<SessionFeed> {
    const feed = new SessionFeed(options);
    feed.#first = await feed.#connect();
    return feed;
  }

  /** Behind which event a new connection would begin; undefined for none. */
  get lastEventId(): string | undefined {
    return this.#lastId;
  }

  /** Tells the feed of an event that is in the session, where it has seen none yet: it goes on behind that one if need be. */
  begunBehind(eventId: string): void {
    this.#lastId ??= eventId;
  }

  /** Ends when the session is deleted or the signal aborts; throws when the server refuses to go on. To be read once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<FeedEvent, void, undefined> {
    const { signal, onLost } = this.#options;
    let connected = this.#first;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      let lost: unknown = new Error('The server has ended the stream.');
      try {
        connected ??= await this.#connect();
        for await (const event of connected) {
          pauseMs = FIRST_PAUSE_MS;
          if (this.#isNew(event)) yield event;
          if (event.type === 'session.deleted') return;
        }
      } catch (error) {
        if (isRefusal(error)) throw error;
        lost = error;
      }
      connected = undefined;
      if (signal.aborted) return;
      onLost?.(lost);
      await pause(pauseMs, signal);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  }

  #connect(): Promise<Connected> {
    const { client, sessionId, previews, from, signal } = this.#options;
    const begin = this.#lastId === undefined && from !== undefined;
    return client.beta.sessions.events.stream(
      sessionId,
      {
        ...(previews !== undefined && { event_deltas: previews }),
        ...(begin && { roundhouse_from: from }),
      },
      {
        signal,
        ...(this.#lastId !== undefined && { headers: { 'last-event-id': this.#lastId } }),
      },
    );
  }

  #isNew(event: FeedEvent): boolean {
    // Previews are no events, and what is no event has no id.
    if (!('id' in event)) return true;
    if (this.#seen.has(event.id)) return false;
    this.#lastId = event.id;
    this.#seen.add(event.id);
    if (this.#seen.size > REMEMBERED) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    return true;
  }
}

/** Whether asking again can't help: the server has understood and said no. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof APIError) || error.status === undefined) return false;
  return error.status >= 400 && error.status < 500 && error.status !== 408 && error.status !== 429;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    // Nothing else may keep the program alive meanwhile.
    await sleep(ms, signal, { keepAlive: true });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
