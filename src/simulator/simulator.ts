import { createServer } from 'node:http';
import { RequestLog } from './request-log.ts';
import type { RequestEntry } from './request-log.ts';
import { answerRequest } from './routes.ts';
import { Tally } from './tally.ts';

/** How to start a simulator. */
export interface SimulatorOptions {
  /** The address to listen on. Default `127.0.0.1`: it has no protection worth the name, so keep it on loopback. */
  host?: string;
  /** 0 to 65535. Default 0: any free one, see {@link Simulator.port}. */
  port?: number;
  /** When set, requests with another key get 401. Default: any key, or none, will do. */
  apiKey?: string;
  /** The wait before each piece of an answer, in milliseconds, unless the prompt says `[[slow …]]`. Default 0. */
  tokenDelayMs?: number;
  /** A longer body gets 413. In bytes; default 64 MiB. */
  maxBodyBytes?: number;
}

/** A running simulator of the Anthropic Messages API. */
export interface Simulator {
  /** Without a slash at the end; fit for `ANTHROPIC_BASE_URL`. */
  readonly url: string;
  readonly port: number;
  /** The last requests, oldest first, at most {@link MAX_LOGGED_REQUESTS}. A copy. */
  readonly requests: readonly RequestEntry[];
  /**
   * Resolves with the first request in {@link requests} that matches, else with the next one to come; as soon as it was
   * read, before it is answered. Rejects with the signal's reason. `close` does not end the wait.
   */
  waitForRequest(
    predicate: (entry: RequestEntry) => boolean,
    signal?: AbortSignal,
  ): Promise<RequestEntry>;
  /** Forgets all requests and all counts, as if freshly started. Answers under way go on. */
  reset(): void;
  /** Stops listening and destroys every connection. May be called twice; both wait for the same end. */
  close(): Promise<void>;
}

/** How many requests {@link Simulator.requests} holds. */
export const MAX_LOGGED_REQUESTS = 1000;

const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Prompts and requests whose occurrences are counted; some 200 bytes each. */
const MAX_COUNTED = 10_000;
/** Longer than any client keeps an idle connection, so that ours is never the side that closes under a request. */
const KEEP_ALIVE_MS = 10 * 60_000;

/**
 * Starts an Anthropic Messages API that answers by rule, without a model. Resolves when it listens; rejects with the
 * system's error when the address is taken. docs/simulator.md says what it answers and which directives it knows.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, tokenDelayMs = 0 } = options;
  const log = new RequestLog(MAX_LOGGED_REQUESTS);
  const seen = new Tally(MAX_COUNTED);
  const faults = new Tally(MAX_COUNTED);
  let requestCount = 0;
  const context = {
    log,
    seen,
    faults,
    apiKey: options.apiKey,
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    tokenDelayMs,
    nextRequestId: () => `req_sim_${String((requestCount += 1)).padStart(6, '0')}`,
  };
  const underWay = new Set<Promise<void>>();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const answer = answerRequest(context, request, response)
      // only a client that went leaves an error here, and there is nobody to tell
      .catch(() => void response.destroy())
      .finally(() => underWay.delete(answer));
    underWay.add(answer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const ended = new Promise<void>((resolve) => void server.close(() => resolve()));
    server.closeAllConnections();
    await ended;
    await Promise.all(underWay);
  };
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    get requests() {
      return log.entries();
    },
    waitForRequest: (predicate, signal) => log.waitFor(predicate, signal),
    reset: () => {
      log.clear();
      seen.clear();
      faults.clear();
      requestCount = 0;
    },
    close: () => (closed ??= close()),
  };
}
