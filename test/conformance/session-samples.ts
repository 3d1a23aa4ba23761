import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { NewSession } from '../../src/contracts/session-store.ts';
import type { TranscriptEntry } from '../../src/contracts/transcripts.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { NO_USAGE } from '../../src/events/record.ts';
import type { EventDetail, EventRecord, SessionEvent, TurnEnd } from '../../src/events/record.ts';

/** The moment of every sample. */
export const AT = '2026-03-04T05:06:07.890Z';

/** Seconds after {@link AT}. */
export function at(seconds: number): string {
  return new Date(Date.parse(AT) + seconds * 1000).toISOString();
}

/** A session that has what a row needs; `over` changes it. */
export function aSession(over: Partial<NewSession> = {}): NewSession {
  const token = randomUUID().replaceAll('-', '');
  return {
    id: `sesn_${token}`,
    tenant: 'key-a',
    name: `name-${token}`,
    agentSessionId: randomUUID(),
    options: { model: 'claude-test', systemPrompt: { mode: 'append', text: 'Be brief.' } },
    limits: { silenceMs: 90_000 },
    workspace: '/var/lib/roundhouse/workspaces/w1',
    ownsWorkspace: true,
    kind: 'named',
    createdAt: AT,
    owner: 'host-1',
    ...over,
  };
}

/** A record that says `text`; `over` changes it, its body decides the type. */
export function aRecord(
  sessionId: string,
  number: number,
  over: { body?: SessionEvent; detail?: EventDetail; turnId?: string | null; text?: string } = {},
): EventRecord {
  const body: SessionEvent = over.body ?? {
    id: `sevt_${number}`,
    type: 'agent.message',
    content: [{ type: 'text', text: over.text ?? `event ${number}` }],
    processed_at: AT,
  };
  return {
    number,
    sessionId,
    turnId: over.turnId === undefined ? 'turn_1' : over.turnId,
    at: AT,
    type: body.type,
    body,
    detail: over.detail ?? {},
  };
}

/** Records `from` to `to`, both included. */
export function someRecords(sessionId: string, from: number, to: number): EventRecord[] {
  return Array.from({ length: to - from + 1 }, (_, index) => aRecord(sessionId, from + index));
}

/** The record that begins a turn. */
export function aPrompt(sessionId: string, number: number, turnId: string): EventRecord {
  return aRecord(sessionId, number, {
    turnId,
    body: {
      id: `sevt_${number}`,
      type: 'user.message',
      content: [{ type: 'text', text: 'Hello' }],
    },
    detail: { prompt: { model: 'claude-other' } },
  });
}

/** The record that marks a turn's prompt delivered. */
export function aDelivery(sessionId: string, number: number, turnId: string): EventRecord {
  return aRecord(sessionId, number, {
    turnId,
    body: { id: `sevt_${number}`, type: 'session.status_running', processed_at: AT },
    detail: { delivered: true, clientId: 'clnt_1' },
  });
}

/** The record that ends a turn. */
export function anEnd(sessionId: string, number: number, turnId: string): EventRecord {
  const turnEnd: TurnEnd = {
    reason: 'completed',
    usage: NO_USAGE,
    modelRequests: 1,
    stopReason: 'end_turn',
  };
  return aRecord(sessionId, number, {
    turnId,
    body: {
      id: `sevt_${number}`,
      type: 'session.status_idle',
      processed_at: AT,
      stop_details: null,
      stop_reason: { type: 'end_turn' },
    },
    detail: { turnEnd },
  });
}

/** An entry of a transcript that says `text`. */
export function anEntry(uuid: string | undefined, text: string): TranscriptEntry {
  return {
    type: 'user',
    ...(uuid !== undefined && { uuid }),
    message: { role: 'user', content: [{ type: 'text', text }] },
  };
}

/** Matches an error of ours by its code alone. */
export function failsWith(code: ErrorCode): unknown {
  return expect.objectContaining({ name: 'RoundhouseError', code });
}

/** A turn of three records; without its end, the third says something. */
export function turnOf(id: string, from: number, turnId: string, ends = true): EventRecord[] {
  return [
    aPrompt(id, from, turnId),
    aRecord(id, from + 1, { turnId }),
    ends ? anEnd(id, from + 2, turnId) : aRecord(id, from + 2, { turnId }),
  ];
}
