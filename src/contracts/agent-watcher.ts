/** One of the messages that an agent itself gives out, before it is translated into events. */
export interface AgentMessage {
  /** As the agent calls it; a word. */
  readonly type: string;
  /** On one line, without the secrets of the process. */
  readonly json: string;
}

/** Whoever looks at what agents say, for debugging. It changes nothing: neither method waits or throws. */
export interface AgentWatcher {
  /** Whether anybody looks at that session now. Else its messages need not be made ready. */
  watches(sessionId: string): boolean;
  show(sessionId: string, message: AgentMessage): void;
}
