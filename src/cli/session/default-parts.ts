import type Anthropic from '@anthropic-ai/sdk';
import type { EnvironmentCreateParams } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { createHash } from 'node:crypto';

import type { ToolFlags } from '../client/toolset.ts';
import { agentReference } from '../client/agent-reference.ts';
import { newSession } from '../client/new-session.ts';
import { toolset } from '../client/toolset.ts';
import { UsageError } from '../usage-error.ts';

/** What the command line has made carries it in its metadata, with what it is for. */
const MARK = 'roundhouse.cli';
const PAGE_SIZE = 100;
/** Pages that are looked through. Beyond them another one is made, which is then the newest. */
const MAX_PAGES = 10;

/** What a session of the command line is made of. */
export interface SessionParts extends ToolFlags {
  readonly client: Anthropic;
  /** `ID` or `ID@VERSION`; undefined for the one that all of them share. */
  readonly agent: string | undefined;
  /** Undefined for the one that all of them share. */
  readonly environment: string | undefined;
  /** Absolute; instead of an environment. */
  readonly workspace?: string | undefined;
  /** Undefined for the agent's, or the first that the server offers. */
  readonly model: string | undefined;
  readonly system?: string | undefined;
  /** Which command makes it. */
  readonly purpose: string;
  /** Gives it up: then the server has none. Default: it is waited for. */
  readonly signal?: AbortSignal | undefined;
}

/** Makes a session. What it needs and nobody named is found, or made once and kept: see docs/decisions/0042. */
export async function makeSession(parts: SessionParts): Promise<{ id: string; model: string }> {
  const { client, purpose, signal, system } = parts;
  if (parts.workspace !== undefined && parts.environment !== undefined) {
    throw new UsageError('--workspace and --environment: expected one of them, got both.');
  }
  const model = parts.model ?? (parts.agent === undefined ? await firstModel(parts) : undefined);
  const tools = toolset(parts);
  const reference = parts.agent === undefined ? undefined : agentReference(parts.agent);
  const session = await newSession(
    client,
    {
      agent: {
        ...(reference ?? { id: await sharedAgent(parts, model ?? (await firstModel(parts))) }),
        type: 'agent_with_overrides',
        ...(model !== undefined && { model }),
        ...(system !== undefined && { system }),
        ...(tools !== undefined && { tools: [tools] }),
      },
      environment_id: parts.environment ?? (await sharedEnvironment(parts, parts.workspace)),
      metadata: { [MARK]: purpose },
    },
    signal,
  );
  return { id: session.id, model: session.agent.model.id };
}

/** How the server is asked for what a session is made of. */
type Reach = Pick<SessionParts, 'client' | 'signal'>;

async function firstModel({ client, signal }: Reach): Promise<string> {
  const { data } = await client.models.list({}, { signal });
  return data[0]?.id ?? 'default';
}

/** An agent without tools and without a system prompt of its own: a session lays over it what it is asked for. */
async function sharedAgent({ client, signal }: Reach, model: string): Promise<string> {
  const found = await findMarked('agent', (page) =>
    client.beta.agents.list({ limit: PAGE_SIZE, ...page }, { signal }),
  );
  if (found !== undefined) return found;
  const name = 'Roundhouse command line';
  const params = { name, model, metadata: { [MARK]: 'agent' } };
  return (await client.beta.agents.create(params, { signal })).id;
}

/** One for fresh folders, and one for each folder that was named. */
async function sharedEnvironment(
  { client, signal }: Reach,
  workspace: string | undefined,
): Promise<string> {
  const purpose =
    workspace === undefined ? 'fresh' : createHash('sha256').update(workspace).digest('hex');
  const found = await findMarked(purpose, (page) =>
    client.beta.environments.list({ limit: PAGE_SIZE, ...page }, { signal }),
  );
  if (found !== undefined) return found;
  const params: EnvironmentCreateParams & { roundhouse?: object } = {
    // The API's longest name.
    name: workspace?.slice(-256) ?? 'Roundhouse command line',
    metadata: { [MARK]: purpose },
    ...(workspace !== undefined && {
      roundhouse: { workspace: { type: 'folder', path: workspace } },
    }),
  };
  return (await client.beta.environments.create(params, { signal })).id;
}

interface Marked {
  readonly id: string;
  readonly metadata: Readonly<Record<string, string>>;
}

async function findMarked(
  purpose: string,
  list: (page: {
    page?: string;
  }) => Promise<{ readonly data: readonly Marked[]; readonly next_page: string | null }>,
): Promise<string | undefined> {
  let next: string | null = null;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const page: { data: readonly Marked[]; next_page: string | null } = await list(
      next === null ? {} : { page: next },
    );
    const found = page.data.find(({ metadata }) => metadata[MARK] === purpose);
    if (found !== undefined) return found.id;
    next = page.next_page;
    if (next === null) return undefined;
  }
  return undefined;
}
