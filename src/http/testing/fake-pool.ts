import { TurnItems } from '../../dialects/testing/log-items.ts';
import type { EventPage } from '../../contracts/session-store.ts';
import { RoundhouseError } from '../../errors.ts';
import type { LogItem } from '../../events/preview.ts';
import { NO_USAGE, turnEndOf } from '../../events/record.ts';
import type { EventRecord, PromptContent, TurnEnd } from '../../events/record.ts';
import { oneByOne } from '../../log/one-by-one.ts';
import type { StreamHandle } from '../../session/stream-handle.ts';
import type {
  PoolPort,
  PromptRequest,
  SessionClientPort,
  SessionInfo,
  SessionRequest,
} from '../pool-port.ts';
import { Feed } from './feed.ts';

/** What a test plays as a turn: puts items into the feed, now or later. */
export type Play = (feed: Feed, items: TurnItems, prompt: PromptContent) => void;

/** A pool without agents, for tests of the HTTP side: it notes what it is asked and plays what the test says. */
export class FakePool implements PoolPort {
  readonly requests: { name: string; request: SessionRequest }[] = [];
  readonly prompts: { name: string; content: PromptContent; request: PromptRequest }[] = [];
  readonly deleted: string[] = [];
  readonly interrupted: string[] = [];
  readonly feeds: Feed[] = [];
  readonly sessions = new Map<string, EventRecord[]>();
  /** The log that `followEvents` follows. */
  readonly live = new Feed();
  /** Thrown by `getSessionClient`, once each. */
  refusals: unknown[] = [];
  /** Thrown by `prompt`, once each. */
  promptRefusals: unknown[] = [];
  ready: { ready: boolean; reason?: string } = { ready: true };
  play: Play;

  constructor(play: Play = answerWith(['Hello', ' world'])) {
    this.play = play;
  }

  /** Readers that have not left. */
  get readers(): number {
    return this.feeds.reduce((sum, feed) => sum + feed.readers, this.live.readers);
  }

  async getSessionClient(name: string, request: SessionRequest = {}): Promise<SessionClientPort> {
    this.requests.push({ name, request });
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    this.sessions.set(`${request.tenant}/${name}`, []);
    return {
      id: `sesn_${name}`,
      name,
      prompt: (content, promptRequest = {}) => this.#prompt(name, content, promptRequest),
    };
  }

  async #prompt(
    name: string,
    content: PromptContent,
    request: PromptRequest,
  ): Promise<StreamHandle> {
    this.prompts.push({ name, content, request });
    const refusal = this.promptRefusals.shift();
    if (refusal !== undefined) throw refusal;
    const feed = new Feed();
    this.feeds.push(feed);
    const turnId = `turn_${this.feeds.length}`;
    const items = new TurnItems(turnId);
    const ended = Promise.withResolvers<TurnEnd>();
    feed.onItem = (item) => {
      const end = item.record === undefined ? undefined : turnEndOf(item.record);
      if (end !== undefined) ended.resolve(end);
    };
    feed.push(items.user('prompt'), items.delivered());
    this.play(feed, items, content);
    const readBatches = (
      options: { signal?: AbortSignal } = {},
    ): AsyncIterable<readonly LogItem[]> =>
      readTurn(feed, options.signal, () => {
        if (request.whenUnread?.policy === 'interrupt')
          feed.push(items.end({ reason: 'interrupted' }));
      });
    const read = (options: { signal?: AbortSignal } = {}): AsyncIterable<LogItem> =>
      oneByOne(readBatches(options), options.signal);
    return {
      handleId: `hndl_${turnId}`,
      turnId,
      firstNumber: 1,
      phase: 'streaming',
      ended: ended.promise,
      read,
      readBatches,
      [Symbol.asyncIterator]: () => read()[Symbol.asyncIterator](),
      interrupt: async () => true,
    };
  }

  async deleteSession(tenant: string, name: string): Promise<boolean> {
    this.deleted.push(name);
    return this.sessions.delete(`${tenant}/${name}`);
  }

  async interruptSession(tenant: string, name: string): Promise<boolean> {
    this.#events(tenant, name);
    this.interrupted.push(name);
    return true;
  }

  async warm(tenant: string, name: string): Promise<SessionInfo> {
    this.#events(tenant, name);
    return sessionInfo(name);
  }

  async listSessions(
    tenant: string,
    query: { limit: number; after?: string },
  ): Promise<{ sessions: SessionInfo[]; next: string | null }> {
    const names = [...this.sessions.keys()]
      .filter((key) => key.startsWith(`${tenant}/`))
      .map((key) => key.slice(tenant.length + 1));
    const start = query.after === undefined ? 0 : names.indexOf(query.after) + 1;
    const page = names.slice(start, start + query.limit);
    const more = start + query.limit < names.length;
    return { sessions: page.map(sessionInfo), next: more ? (page.at(-1) ?? null) : null };
  }

  async getSessionInfo(tenant: string, name: string): Promise<SessionInfo | undefined> {
    return this.sessions.has(`${tenant}/${name}`) ? sessionInfo(name) : undefined;
  }

  async listEvents(
    tenant: string,
    name: string,
    query: { after: number; limit: number },
  ): Promise<EventPage> {
    const all = this.#events(tenant, name).filter((record) => record.number > query.after);
    const records = all.slice(0, query.limit);
    const more = all.length > records.length;
    return { records, damaged: [], next: more ? (records.at(-1)?.number ?? null) : null };
  }

  async followEvents(
    tenant: string,
    name: string,
    query: { after: number; signal?: AbortSignal },
  ): Promise<AsyncIterable<LogItem>> {
    const records = this.#events(tenant, name).filter((record) => record.number > query.after);
    const { live } = this;
    async function* items(): AsyncGenerator<LogItem, void, undefined> {
      for (const record of records) yield { record };
      yield* live.read(query.signal);
    }
    return items();
  }

  readiness(): { ready: boolean; reason?: string } {
    return this.ready;
  }

  #events(tenant: string, name: string): EventRecord[] {
    const records = this.sessions.get(`${tenant}/${name}`);
    if (records === undefined) throw new RoundhouseError('session_not_found', `No session ${name}`);
    return records;
  }
}

/** A turn that streams its text in `chunks` and ends well. */
export function answerWith(chunks: readonly string[]): Play {
  return (feed, t) => feed.push(t.messageStart('m1'), ...t.streamedText('m1', 0, chunks), t.end());
}

async function* readTurn(
  feed: Feed,
  signal: AbortSignal | undefined,
  onLeftEarly: () => void,
): AsyncGenerator<readonly LogItem[], void, undefined> {
  let ended = false;
  try {
    for await (const item of feed.read(signal)) {
      ended = item.record !== undefined && turnEndOf(item.record) !== undefined;
      yield [item];
      if (ended) return;
    }
  } finally {
    if (!ended) onLeftEarly();
  }
}

function sessionInfo(name: string): SessionInfo {
  return {
    id: `sesn_${name}`,
    name,
    status: 'idle',
    phase: null,
    clientId: 'clnt_1',
    model: null,
    limits: {},
    turnCount: 1,
    queuedTurns: 0,
    usage: NO_USAGE,
    createdAt: '2026-11-22T10:00:00.000Z',
    lastActiveAt: '2026-11-22T10:00:00.000Z',
    archivedAt: null,
    activeMs: 0,
    ageSeconds: 1,
    idleSeconds: 1,
    messageCount: 1,
    errorCount: 0,
    reused: false,
  };
}
