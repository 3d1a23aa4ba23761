import type { KeyEntry } from './auth.ts';

/** Settings of the HTTP side; the configuration's `server` and `agent` sections hold them. */
export interface HttpOptions {
  /** Keys that may use the server. None: everybody on this machine, as `default`. */
  readonly keys: readonly KeyEntry[];
  /** Models that requests may name, at least one. */
  readonly models: readonly string[];
  /** Named in answers when no model message has said its own; by default the first of `models`. */
  readonly defaultModel?: string | undefined;
  /** Largest request body, in bytes. */
  readonly maxBodyBytes: number;
  /**
   * How long a stream waits for its first output before it says 200, so that early failures are real HTTP errors. The
   * clock starts when the prompt was accepted. In ms.
   */
  readonly statusHoldMs: number;
  /** Period of pings on an open stream, in ms. */
  readonly heartbeatMs: number;
  /** How long a client may take nothing of a stream, or a file stand still on its way, before the connection is cut; in ms. */
  readonly readerMaxLagMs: number;
  /** How long the turn of a call without a session goes on after its client left, in ms. */
  readonly oneShotGraceMs: number;
}
