import type { SDKMessage, SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';

import type { TranscriptMirror } from './transcript-mirror.ts';
import { turnEntries, type TranscriptMessage } from './transcript.ts';
import { SYNTHETIC_MODEL } from './turn-mapper.ts';

/**
 * What the transcript must have of the turn that runs. Claude Code drops entries that it can't write to its own file (the
 * disk is full), without a word before its end, and hands on only what it has written: so at the end of a turn what was
 * handed on is held against what was shown.
 */
export class TurnTranscript {
  readonly #agentSessionId: string;
  readonly #mirror: TranscriptMirror;
  #messages: TranscriptMessage[] = [];
  /** Of the turn before, whose entries may still be handed on. */
  #earlier: ReadonlySet<string> = new Set();

  constructor(agentSessionId: string, mirror: TranscriptMirror) {
    this.#agentSessionId = agentSessionId;
    this.#mirror = mirror;
  }

  /** A prompt goes to the process. */
  begin({ uuid, message }: SDKUserMessage): void {
    this.#mirror.beginTurn();
    this.#earlier = new Set(this.#messages.map((earlier) => earlier.uuid));
    this.#messages = uuid === undefined ? [] : [{ uuid, role: 'user', message }];
  }

  /** The process has said something. Subagents have transcripts of their own, which nobody takes up again. */
  note(message: SDKMessage): void {
    if (message.type !== 'user' && message.type !== 'assistant') return;
    const { type: role, uuid, parent_tool_use_id: parent } = message;
    if (uuid === undefined || parent !== null) return;
    if (message.type === 'assistant' && message.message.model === SYNTHETIC_MODEL) return;
    this.#messages.push({ uuid, role, message: message.message });
  }

  /** Whether the store has all that the agent has shown. */
  get isStored(): boolean {
    return this.#messages.every(({ uuid }) => this.#mirror.hasEntry(uuid));
  }

  /** Whether the agent has handed on less than it has shown. */
  get lacks(): boolean {
    return this.#messages.some(({ uuid }) => !this.#mirror.uuidsOfTurn.has(uuid));
  }

  /** Writes what is lacking, as far as it was shown; returns the number of entries. `storage_failed`. */
  complete(): Promise<number> {
    const messages = this.#messages;
    const ofTurn = new Set(
      [...this.#mirror.uuidsOfTurn].filter((uuid) => !this.#earlier.has(uuid)),
    );
    return this.#mirror.complete((stored) =>
      turnEntries(this.#agentSessionId, stored, messages, ofTurn),
    );
  }
}
