import type {
  AgentCreateParams,
  BetaManagedAgentsAgent,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';

import type { ClientFlags } from '../client/connection.ts';
import type { CliContext } from '../context.ts';
import type { Column } from '../output/table.ts';
import { isFields, readDefinition, type Fields } from '../client/definition-file.ts';
import { listPages, type ListFlags } from '../client/list-pages.ts';
import { pairs, requiredText, withFlags } from '../client/field-flags.ts';
import { showListing } from '../client/show-listing.ts';
import { toolset, type ToolFlags } from '../client/toolset.ts';
import { UsageError } from '../usage-error.ts';
import { withServer } from '../client/with-server.ts';

/** Flags of `roundhouse agents create`. */
export interface AgentCreateFlags extends ClientFlags, ToolFlags {
  readonly file?: string;
  readonly name?: string;
  readonly model?: string;
  readonly system?: string;
  readonly description?: string;
  readonly metadata?: readonly string[];
}

const COLUMNS: readonly Column<BetaManagedAgentsAgent>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'NAME', value: ({ name }) => name, style: () => 'bold', shrinks: true },
  { title: 'MODEL', value: ({ model }) => model.id, shrinks: true },
  { title: 'VERSION', value: ({ version }) => String(version) },
  { title: 'CREATED', value: ({ created_at }) => created_at.slice(0, 16).replace('T', ' ') },
  {
    title: 'STATE',
    value: ({ archived_at }) => (archived_at === null ? 'active' : 'archived'),
    style: ({ archived_at }) => (archived_at === null ? 'green' : 'dim'),
  },
];

/** `roundhouse agents list`. */
export function listAgents(flags: ClientFlags & ListFlags, context: CliContext): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    const listing = await listPages(flags, (request) => client.beta.agents.list(request));
    showListing(out, listing, COLUMNS, 'agents');
  });
}

/** `roundhouse agents show ID`. */
export function showAgent(
  id: string,
  flags: ClientFlags & { readonly version?: number },
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    const { version } = flags;
    out.thing(await client.beta.agents.retrieve(id, version === undefined ? {} : { version }));
  });
}

/** `roundhouse agents create`. */
export function createAgent(flags: AgentCreateFlags, context: CliContext): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    const fields = await readDefinition(flags.file, context);
    out.made(await client.beta.agents.create(agentParams(fields, flags)));
  });
}

/** `roundhouse agents archive ID`. */
export function archiveAgent(id: string, flags: ClientFlags, context: CliContext): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    out.made(await client.beta.agents.archive(id));
  });
}

function agentParams(fields: Fields, flags: AgentCreateFlags): AgentCreateParams {
  const tools = toolset(flags);
  const rest = withFlags(fields, {
    system: flags.system,
    description: flags.description,
    metadata: pairs('metadata', flags.metadata, fields['metadata']),
    tools: tools && [tools],
  });
  const name = requiredText('name', flags.name, 'name', fields);
  return { ...rest, name, model: modelOf(fields, flags) };
}

function modelOf(fields: Fields, { model }: AgentCreateFlags): AgentCreateParams['model'] {
  const inFile = fields['model'];
  if (model !== undefined || !isFields(inFile))
    return requiredText('model', model, 'model', fields);
  const { id } = inFile;
  if (typeof id !== 'string') throw new UsageError('model.id: expected the name of a model.');
  const rest: object = inFile;
  return { ...rest, id };
}
