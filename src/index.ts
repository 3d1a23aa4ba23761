/**
 * The library: a pool of Claude Code sessions without the server. Loads no HTTP framework.
 *
 * ```ts
 * const { pool, close } = await openSessionPool({ dataDir: '/var/lib/my-app', credentials: { ANTHROPIC_API_KEY } });
 * const session = await pool.getSessionClient('user-42');
 * for await (const item of await session.prompt([{ type: 'text', text: 'Hello' }])) { … }
 * await close();
 * ```
 */
export {
  openSessionPool,
  type OpenedSessionPool,
  type OpenSessionPoolOptions,
} from './open-session-pool.ts';
export type { PoolStats } from './pool/pool-stats.ts';
export type { SessionInfo } from './pool/session-info.ts';
export type { SessionPool } from './pool/session-pool.ts';
export type { SessionRequest } from './pool/session-request.ts';
export type { PoolOptions, PoolOptionsInput } from './pool/options.ts';
export type { PromptRequest } from './session/prompt-request.ts';
export type { AnswerEvent, ClientAnswer } from './session/awaited-answers.ts';
export type { SessionClient, SessionMetrics } from './session/session-client.ts';
export type { StreamHandle, TurnPhase } from './session/stream-handle.ts';
export type { WhenUnread } from './session/turn-stream.ts';
export type { SessionStatus } from './session/states.ts';
export type { TurnLimits } from './definitions/turn-limits.ts';
export type { AgentOptions } from './contracts/agent-driver.ts';
export type { SeedMessage } from './contracts/transcripts.ts';
export type { LogItem, Preview, PreviewBlock } from './events/preview.ts';
export type {
  EventDetail,
  EventRecord,
  PromptContent,
  SessionEvent,
  TurnEnd,
  TurnEndReason,
  Usage,
} from './events/record.ts';
export { ERROR_KINDS, RoundhouseError, type ErrorCode, type ErrorKind } from './errors.ts';
export type { Logger, LogFields, Metrics, Telemetry } from './telemetry/telemetry.ts';
