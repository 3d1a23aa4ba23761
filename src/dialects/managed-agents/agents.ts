import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type { AgentDefinition } from '../../definitions/agent.ts';
import type { Kept } from '../../definitions/kept.ts';
import { RoundhouseError } from '../../errors.ts';
import { agentCreateSchema, agentUpdateSchema, type AgentCreate } from './agent-schema.ts';
import { checkRelations } from './agent-relations.ts';
import { checkMetadata, patched } from './common-schema.ts';
import { parseBody } from './parse-body.ts';

export interface AgentParseOptions {
  /** Models that may be asked for. */
  readonly models: readonly string[];
}

/** A change of an agent. */
export interface AgentChange {
  /** The version that the caller has seen; absent means whichever holds. */
  readonly expectedVersion: number | undefined;
  /** Makes the next definition; throws `invalid_request` where the result is not one. */
  readonly apply: (current: AgentDefinition) => AgentDefinition;
}

/**
 * The agent that a body of `POST /v1/agents` defines. Throws `unsupported_field` or `invalid_request`, naming the fields, or
 * `model_not_found`.
 */
export function parseAgentCreate(body: unknown, options: AgentParseOptions): AgentDefinition {
  const given = parseBody(agentCreateSchema, body);
  return checked({
    name: given.name,
    description: textOrNull(given.description),
    system: textOrNull(given.system),
    model: modelOf(given.model, undefined, options),
    tools: given.tools ?? [],
    mcp_servers: given.mcp_servers ?? [],
    metadata: given.metadata ?? {},
  });
}

/** The change that a body of `POST /v1/agents/{id}` asks for: what it omits stays. Throws as {@link parseAgentCreate}. */
export function parseAgentUpdate(body: unknown, options: AgentParseOptions): AgentChange {
  const given = parseBody(agentUpdateSchema, body);
  // Told before anything is looked up, like every other mistake of the body.
  if (given.model !== undefined) modelOf(given.model, undefined, options);
  return {
    expectedVersion: given.version,
    apply: (current) =>
      checked({
        name: given.name ?? current.name,
        description:
          given.description === undefined ? current.description : textOrNull(given.description),
        system: given.system === undefined ? current.system : textOrNull(given.system),
        model:
          given.model === undefined
            ? current.model
            : modelOf(given.model, current.model.effort, options),
        tools: given.tools === undefined ? current.tools : (given.tools ?? []),
        mcp_servers:
          given.mcp_servers === undefined ? current.mcp_servers : (given.mcp_servers ?? []),
        metadata: patched(current.metadata, given.metadata),
      }),
  };
}

/** An agent as the API shows it. */
export function toAgent(agent: Kept<AgentDefinition>): BetaManagedAgentsAgent {
  return {
    type: 'agent',
    id: agent.id,
    version: agent.version,
    created_at: agent.createdAt,
    updated_at: agent.updatedAt,
    archived_at: agent.archivedAt,
    ...agent.body,
    model: { ...agent.body.model, speed: 'standard' },
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
  };
}

/** The same definition, if what must hold between its fields does; else `invalid_request`. */
function checked(definition: AgentDefinition): AgentDefinition {
  checkMetadata(definition.metadata);
  checkRelations(definition);
  return definition;
}

/** Empty text is as good as none. */
export function textOrNull(text: string | null | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

/** A model as it is kept; `model_not_found`. `stored`: the effort that stays where the request leaves it out. */
export function modelOf(
  given: AgentCreate['model'],
  stored: AgentDefinition['model']['effort'],
  { models }: AgentParseOptions,
): AgentDefinition['model'] {
  const { id, effort } = typeof given === 'string' ? { id: given, effort: undefined } : given;
  if (!models.includes(id)) {
    throw new RoundhouseError(
      'model_not_found',
      `model: expected one of ${models.join(', ')}, got ${JSON.stringify(id.slice(0, 100))}`,
    );
  }
  const level =
    effort === undefined ? stored : typeof effort === 'string' ? { type: effort } : effort;
  return level === undefined || level === null ? { id } : { id, effort: level };
}
