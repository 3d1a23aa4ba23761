import type {
  BetaManagedAgentsSession,
  BetaManagedAgentsSessionUsage,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type { AgentDefinition } from '../../definitions/agent.ts';
import type { Kept } from '../../definitions/kept.ts';
import type { SessionDefinition, SessionResource } from '../../definitions/session.ts';
import { listCostCents, type PromptContent, type Usage } from '../../events/record.ts';
import { checkRelations } from './agent-relations.ts';
import { modelOf, textOrNull, type AgentParseOptions } from './agents.ts';
import { checkMetadata, patched } from './common-schema.ts';
import { parseBody } from './parse-body.ts';
import { sessionCreateSchema, sessionUpdateSchema, type SessionCreate } from './session-schema.ts';

/** A session that a client asks for. */
export interface SessionCreation {
  readonly agent: {
    readonly id: string;
    /** Absent means the one that holds. */
    readonly version: number | undefined;
    /** Lays what the session has of its own over the agent; throws `invalid_request` where the result is no agent. */
    readonly override: (agent: AgentDefinition) => AgentDefinition;
  };
  readonly environmentId: string;
  readonly title: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly resources: readonly Pick<SessionResource, 'file_id' | 'mount_path'>[];
  readonly budget: SessionDefinition['budget'];
  readonly prompts: readonly PromptContent[];
}

/** A change of a session. */
export interface SessionUpdate {
  /** Whether it names the agent. */
  readonly namesAgent: boolean;
  /** Makes the next definition; throws `invalid_request` where the result is not one. */
  readonly apply: (current: SessionDefinition) => SessionDefinition;
}

/** What a session does, and what it has cost. */
export interface SessionState {
  readonly kept: Kept<SessionDefinition>;
  readonly status: BetaManagedAgentsSession['status'];
  readonly usage: Usage;
  readonly activeSeconds: number;
  readonly durationSeconds: number;
  readonly updatedAt: string;
}

/**
 * The session that a body of `POST /v1/sessions` asks for. Throws `unsupported_field` or `invalid_request`, naming the
 * fields, or `model_not_found`.
 */
export function parseSessionCreate(body: unknown, options: AgentParseOptions): SessionCreation {
  const given = parseBody(sessionCreateSchema, body);
  const { metadata = {} } = given;
  checkMetadata(metadata);
  return {
    agent: agentOf(given.agent, options),
    environmentId: given.environment_id,
    title: textOrNull(given.title),
    metadata,
    resources: given.resources ?? [],
    budget: given.budget ?? null,
    prompts: (given.initial_events ?? []).map(({ content }) => content),
  };
}

/** The change that a body of `POST /v1/sessions/{id}` asks for: what it omits stays. Throws as {@link parseSessionCreate}. */
export function parseSessionUpdate(body: unknown): SessionUpdate {
  const given = parseBody(sessionUpdateSchema, body);
  const { tools, mcp_servers } = given.agent ?? {};
  return {
    namesAgent: given.agent !== undefined,
    apply: (current) => {
      const next = {
        ...current,
        ...(given.title !== undefined && { title: textOrNull(given.title) }),
        ...(given.budget !== undefined && { budget: given.budget }),
        metadata: patched(current.metadata, given.metadata),
        agent: {
          ...current.agent,
          ...(tools !== undefined && { tools }),
          ...(mcp_servers !== undefined && { mcp_servers }),
        },
      };
      checkMetadata(next.metadata);
      checkRelations(next.agent);
      return next;
    },
  };
}

/** What of a session the API has no words for. */
export interface RoundhouseSession {
  /** Null where it is no fork. */
  readonly forked_from: RoundhouseSessionOrigin | null;
}

/** Where a fork comes from. */
export interface RoundhouseSessionOrigin {
  readonly session_id: string;
  /** Null is the end of what was complete. */
  readonly event_id: string | null;
  /** Files of that session which were gone when it was forked: the fork does not have them. */
  readonly missing_files: { readonly file_id: string; readonly mount_path: string }[];
}

/** A session as the API shows it, with what it has no words for in a field of its own. */
export function toSession(
  state: SessionState,
): BetaManagedAgentsSession & { roundhouse: RoundhouseSession } {
  const { forkedFrom } = state.kept.body;
  const { id, createdAt, archivedAt, body } = state.kept;
  return {
    type: 'session',
    id,
    agent: body.agent,
    environment_id: body.environmentId,
    title: body.title,
    metadata: { ...body.metadata },
    resources: body.resources.map((resource) => ({
      ...resource,
      updated_at: resource.created_at,
    })),
    budget: body.budget,
    status: state.status,
    stats: { active_seconds: state.activeSeconds, duration_seconds: state.durationSeconds },
    usage: toUsage(state),
    outcome_evaluations: [],
    vault_ids: [],
    deployment_id: null,
    created_at: createdAt,
    updated_at: state.updatedAt,
    archived_at: archivedAt,
    roundhouse: {
      forked_from:
        forkedFrom === undefined
          ? null
          : {
              session_id: forkedFrom.sessionId,
              event_id: forkedFrom.eventId,
              missing_files: [...(forkedFrom.missingFiles ?? [])],
            },
    },
  };
}

function toUsage({ usage, activeSeconds }: SessionState): BetaManagedAgentsSessionUsage {
  return {
    active_seconds: activeSeconds,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cache_read_input_tokens: usage.cacheReadInputTokens,
    // The agent tells the sum, not for how long each entry is kept; five minutes is the API's default.
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheCreationInputTokens },
    list_cost: { amount: String(listCostCents(usage)), currency: 'USD' },
  };
}

function agentOf(
  given: SessionCreate['agent'],
  options: AgentParseOptions,
): SessionCreation['agent'] {
  if (typeof given === 'string')
    return { id: given, version: undefined, override: (agent) => agent };
  const { id, version } = given;
  if (given.type === 'agent') return { id, version, override: (agent) => agent };
  const { model, system, tools, mcp_servers } = given;
  const own = {
    ...(model !== undefined && { model: modelOf(model, undefined, options) }),
    ...(system !== undefined && { system: textOrNull(system) }),
    ...(tools !== undefined && { tools }),
    ...(mcp_servers !== undefined && { mcp_servers }),
  };
  return {
    id,
    version,
    override: (agent) => {
      const result = { ...agent, ...own };
      checkRelations(result);
      return result;
    },
  };
}
