import type { AgentOptions } from '../../contracts/agent-driver.ts';
import { damagedRow } from '../../contracts/damaged-row.ts';
import type { NewSession, SessionPatch, SessionRow } from '../../contracts/session-store.ts';
import { NO_USAGE } from '../../events/record.ts';
import type { EventDetail, EventRecord, SessionEvent, Usage } from '../../events/record.ts';
import { toJson } from '../json.ts';
import type { EventsTable, SessionsTable } from './schema.ts';

/** The row of a session that begins, at epoch 1 if it is there for others. */
export function newSessionColumns(session: NewSession, epoch: 0 | 1): SessionsTable {
  return {
    id: session.id,
    tenant: session.tenant,
    name: session.name,
    agent_session_id: session.agentSessionId,
    options: toJson(session.options),
    limits: toJson(session.limits),
    workspace: session.workspace,
    owns_workspace: session.ownsWorkspace ? 1 : 0,
    kind: session.kind,
    stale_transcript_folder: null,
    usage: toJson(NO_USAGE),
    turn_count: 0,
    created_at: session.createdAt,
    last_active_at: session.createdAt,
    owner: session.owner,
    epoch,
    last_number: 0,
    first_number: 1,
    event_bytes: 0,
    active_ms: 0,
    archived_at: null,
  };
}

/** The columns that a patch changes. */
export function patchColumns(patch: SessionPatch): Partial<SessionsTable> {
  return {
    ...(patch.options !== undefined && { options: toJson(patch.options) }),
    ...(patch.limits !== undefined && { limits: toJson(patch.limits) }),
    ...(patch.staleTranscriptFolder !== undefined && {
      stale_transcript_folder: patch.staleTranscriptFolder,
    }),
    ...(patch.usage !== undefined && { usage: toJson(patch.usage) }),
    ...(patch.turnCount !== undefined && { turn_count: patch.turnCount }),
    ...(patch.lastActiveAt !== undefined && { last_active_at: patch.lastActiveAt }),
    ...(patch.activeMs !== undefined && { active_ms: patch.activeMs }),
    ...(patch.archivedAt !== undefined && { archived_at: patch.archivedAt }),
  };
}

/** The session of a row; a `damagedRow` where it can't be read. */
export function toSession(row: SessionsTable): SessionRow {
  const { options, limits, usage } = sessionParts(row);
  return {
    id: row.id,
    tenant: row.tenant,
    name: row.name,
    agentSessionId: row.agent_session_id,
    options,
    limits,
    workspace: row.workspace,
    ownsWorkspace: row.owns_workspace === 1,
    kind: row.kind,
    staleTranscriptFolder: row.stale_transcript_folder,
    usage,
    turnCount: row.turn_count,
    activeMs: row.active_ms,
    archivedAt: row.archived_at,
    createdAt: row.created_at,
    lastActiveAt: row.last_active_at,
    owner: row.owner,
    epoch: row.epoch,
  };
}

function sessionParts(row: SessionsTable): Pick<SessionRow, 'options' | 'limits' | 'usage'> {
  try {
    const options: AgentOptions = JSON.parse(row.options);
    const limits: SessionRow['limits'] = JSON.parse(row.limits);
    const usage: Usage = JSON.parse(row.usage);
    return { options, limits, usage };
  } catch (error) {
    throw damagedRow(`session ${row.id}`, error);
  }
}

export function eventColumns(record: EventRecord): EventsTable {
  return {
    session_id: record.sessionId,
    number: record.number,
    turn_id: record.turnId,
    at: record.at,
    type: record.type,
    body: toJson(record.body),
    detail: toJson(record.detail),
    event_id: record.body.id,
  };
}

/** The record of a row; a `damagedRow` where it can't be read. Its type is read from the body; the column is a copy for queries. */
export function toEvent(row: EventsTable): EventRecord {
  const { number, session_id: sessionId, turn_id: turnId, at } = row;
  try {
    const body: SessionEvent = JSON.parse(row.body);
    const detail: EventDetail = JSON.parse(row.detail);
    return { number, sessionId, turnId, at, type: body.type, body, detail };
  } catch (error) {
    throw damagedRow(`event ${number} of session ${sessionId}`, error);
  }
}
