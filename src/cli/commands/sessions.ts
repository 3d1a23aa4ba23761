import type {
  BetaManagedAgentsSession,
  SessionCreateParams,
  SessionListParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';

import type { ClientFlags } from '../client/connection.ts';
import type { CliContext } from '../context.ts';
import type { Column } from '../output/table.ts';
import type { Style } from '../output/style.ts';
import { agentReference } from '../client/agent-reference.ts';
import { confirmed } from '../client/confirm.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { isFields, readDefinition, type Fields } from '../client/definition-file.ts';
import { listPages, type ListFlags } from '../client/list-pages.ts';
import { pairs, requiredText, withFlags } from '../client/field-flags.ts';
import { newSession } from '../client/new-session.ts';
import { showListing } from '../client/show-listing.ts';
import { UsageError } from '../usage-error.ts';
import { withServer } from '../client/with-server.ts';

type Status = BetaManagedAgentsSession['status'];

/** Flags of `roundhouse sessions list`. */
export interface SessionListFlags extends ClientFlags, ListFlags {
  readonly agent?: string;
  readonly status?: readonly Status[];
}

/** Flags of `roundhouse sessions create`. */
export interface SessionCreateFlags extends ClientFlags {
  readonly file?: string;
  readonly agent?: string;
  readonly environment?: string;
  readonly title?: string;
  readonly metadata?: readonly string[];
  /** In US dollars. */
  readonly budget?: string;
}

const STATUS_STYLES: Readonly<Record<Status, Style>> = {
  idle: 'dim',
  running: 'green',
  rescheduling: 'yellow',
  terminated: 'red',
};

const COLUMNS: readonly Column<BetaManagedAgentsSession>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'TITLE', value: ({ title }) => title ?? '', style: () => 'bold', shrinks: true },
  { title: 'AGENT', value: ({ agent }) => agent.name, shrinks: true },
  { title: 'CREATED', value: ({ created_at }) => created_at.slice(0, 16).replace('T', ' ') },
  { title: 'COST', value: ({ usage }) => dollars(usage.list_cost?.amount) },
  {
    title: 'STATUS',
    value: ({ status, archived_at }) => (archived_at === null ? status : 'archived'),
    style: ({ status, archived_at }) => (archived_at === null ? STATUS_STYLES[status] : 'dim'),
  },
];

/** `roundhouse sessions list`. */
export function listSessions(flags: SessionListFlags, context: CliContext): Promise<number> {
  const filters: SessionListParams = {
    ...(flags.agent !== undefined && { agent_id: flags.agent }),
    ...(flags.status !== undefined && { statuses: [...flags.status] }),
  };
  return withServer(flags, context, async ({ client, out }) => {
    const listing = await listPages(flags, (request) =>
      client.beta.sessions.list({ ...filters, ...request }),
    );
    showListing(out, listing, COLUMNS, 'sessions');
  });
}

/** `roundhouse sessions show ID`. */
export function showSession(id: string, flags: ClientFlags, context: CliContext): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    out.thing(await client.beta.sessions.retrieve(id));
  });
}

/** `roundhouse sessions create`. */
export function createSession(flags: SessionCreateFlags, context: CliContext): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    const fields = await readDefinition(flags.file, context);
    const params = sessionParams(fields, flags);
    out.made(await newSession(client, params));
  });
}

/** `roundhouse sessions archive ID`. */
export function archiveSession(
  id: string,
  flags: ClientFlags,
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    out.made(await client.beta.sessions.archive(id));
  });
}

/** `roundhouse sessions delete ID`. */
export function deleteSession(
  id: string,
  flags: ClientFlags & { readonly yes?: boolean },
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    const question = `Delete the session ${id}, with its events, transcript and workspace?`;
    if (!(await confirmed(question, flags.yes, context))) return EXIT_CODES.failed;
    out.made(await client.beta.sessions.delete(id));
    return EXIT_CODES.ok;
  });
}

function sessionParams(fields: Fields, flags: SessionCreateFlags): SessionCreateParams {
  const rest = withFlags(fields, {
    title: flags.title,
    metadata: pairs('metadata', flags.metadata, fields['metadata']),
    budget: flags.budget === undefined ? undefined : budgetOf(flags.budget),
  });
  return {
    ...rest,
    agent: flags.agent === undefined ? agentInFile(fields) : agentReference(flags.agent),
    environment_id: requiredText('environment', flags.environment, 'environment_id', fields),
  };
}

function agentInFile(fields: Fields): SessionCreateParams['agent'] {
  const { agent } = fields;
  if (!isFields(agent)) return requiredText('agent', undefined, 'agent', fields);
  const { type, id } = agent;
  const rest: object = agent;
  if (typeof id === 'string' && (type === 'agent' || type === 'agent_with_overrides')) {
    return { ...rest, type, id };
  }
  throw new UsageError(
    'agent: expected an id, or fields with an id and the type agent or agent_with_overrides.',
  );
}

/** Dollars, as the API wants them: whole cents. */
function budgetOf(text: string): SessionCreateParams['budget'] {
  const cents = /^\d{1,9}(\.\d{1,2})?$/.test(text) ? Math.round(Number(text) * 100) : 0;
  if (cents === 0) {
    throw new UsageError(`--budget: expected dollars such as 2.50, got ${JSON.stringify(text)}.`);
  }
  return { type: 'limit', max_list_cost: { amount: String(cents), currency: 'USD' } };
}

function dollars(cents: string | undefined): string {
  return cents === undefined ? '' : `$${(Number(cents) / 100).toFixed(2)}`;
}
