import type {
  BetaEnvironment,
  EnvironmentCreateParams,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { resolve } from 'node:path';

import type { ClientFlags } from '../client/connection.ts';
import type { CliContext } from '../context.ts';
import type { Column } from '../output/table.ts';
import { confirmed } from '../client/confirm.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { isFields, readDefinition, type Fields } from '../client/definition-file.ts';
import { listPages, type ListFlags } from '../client/list-pages.ts';
import { pairs, requiredText, withFlags } from '../client/field-flags.ts';
import { showListing } from '../client/show-listing.ts';
import { UsageError } from '../usage-error.ts';
import { withServer } from '../client/with-server.ts';

/** Flags of `roundhouse environments create`. */
export interface EnvironmentCreateFlags extends ClientFlags {
  readonly file?: string;
  readonly name?: string;
  readonly description?: string;
  readonly metadata?: readonly string[];
  readonly workspace?: string;
  readonly clone?: string;
  readonly ref?: string;
  readonly limit?: readonly string[];
  readonly variable?: readonly string[];
  /** Names of variables of this process. */
  readonly secret?: readonly string[];
}

const COLUMNS: readonly Column<BetaEnvironment>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'NAME', value: ({ name }) => name, style: () => 'bold', shrinks: true },
  { title: 'DESCRIPTION', value: ({ description }) => description ?? '', shrinks: true },
  { title: 'CREATED', value: ({ created_at }) => created_at.slice(0, 16).replace('T', ' ') },
  {
    title: 'STATE',
    value: ({ archived_at }) => (archived_at === null ? 'active' : 'archived'),
    style: ({ archived_at }) => (archived_at === null ? 'green' : 'dim'),
  },
];

/** `roundhouse environments list`. */
export function listEnvironments(
  flags: ClientFlags & ListFlags,
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    const listing = await listPages(flags, (request) => client.beta.environments.list(request));
    showListing(out, listing, COLUMNS, 'environments');
  });
}

/** `roundhouse environments show ID`. */
export function showEnvironment(
  id: string,
  flags: ClientFlags,
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    out.thing(await client.beta.environments.retrieve(id));
  });
}

/** `roundhouse environments create`. */
export function createEnvironment(
  flags: EnvironmentCreateFlags,
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    const fields = await readDefinition(flags.file, context);
    const params = environmentParams(fields, flags, context.env);
    out.made(await client.beta.environments.create(params));
  });
}

/** `roundhouse environments archive ID`. */
export function archiveEnvironment(
  id: string,
  flags: ClientFlags,
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    out.made(await client.beta.environments.archive(id));
  });
}

/** `roundhouse environments delete ID`. */
export function deleteEnvironment(
  id: string,
  flags: ClientFlags & { readonly yes?: boolean },
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async ({ client, out }) => {
    if (!(await confirmed(`Delete the environment ${id}?`, flags.yes, context))) {
      return EXIT_CODES.failed;
    }
    out.made(await client.beta.environments.delete(id));
    return EXIT_CODES.ok;
  });
}

function environmentParams(
  fields: Fields,
  flags: EnvironmentCreateFlags,
  env: CliContext['env'],
): EnvironmentCreateParams {
  const inFile = isFields(fields['roundhouse']) ? fields['roundhouse'] : {};
  const variables = variablesOf(flags, env, inFile['variables']);
  const workspace = workspaceOf(flags);
  const limits = limitsOf(flags, inFile['limits']);
  const roundhouse = {
    ...inFile,
    ...(workspace !== undefined && { workspace }),
    ...(limits !== undefined && { limits }),
    ...(variables !== undefined && { variables }),
  };
  const rest = withFlags(fields, {
    description: flags.description,
    metadata: pairs('metadata', flags.metadata, fields['metadata']),
    roundhouse: Object.keys(roundhouse).length > 0 ? roundhouse : undefined,
  });
  return { ...rest, name: requiredText('name', flags.name, 'name', fields) };
}

/** Of several kinds one. A folder, as it is typed, is relative to where it is typed. */
function workspaceOf({ workspace, clone, ref }: EnvironmentCreateFlags): object | undefined {
  if (clone !== undefined && workspace !== undefined) {
    throw new UsageError('--clone and --workspace: expected one of them, got both.');
  }
  if (clone !== undefined) {
    return { type: 'git_clone', path: resolve(clone), ...(ref !== undefined && { ref }) };
  }
  if (ref !== undefined) throw new UsageError('--ref: expected beside --clone, got it alone.');
  if (workspace === undefined) return undefined;
  return workspace === 'fresh' ? { type: 'fresh' } : { type: 'folder', path: resolve(workspace) };
}

/** Numbers where they are some; what is not, the server refuses by its name. */
function limitsOf({ limit }: EnvironmentCreateFlags, inFile: unknown): Fields | undefined {
  const limits = pairs('limit', limit, inFile);
  if (limits === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(limits).map(([name, value]) => [
      name,
      typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value,
    ]),
  );
}

function variablesOf(
  { variable, secret }: EnvironmentCreateFlags,
  env: CliContext['env'],
  inFile: unknown,
): Fields | undefined {
  if (variable === undefined && secret === undefined) return undefined;
  const plain = Object.entries(pairs('variable', variable ?? [], {}) ?? {});
  // A secret is taken from this process's environment: on a command line everybody on the machine could read it.
  const secrets = (secret ?? []).map((name): [string, object] => {
    const value = env[name];
    if (value === undefined) {
      throw new UsageError(
        `--secret ${name}: expected a variable of this environment; it is not set.`,
      );
    }
    return [name, { value, secret: true }];
  });
  return {
    ...(isFields(inFile) ? inFile : {}),
    ...Object.fromEntries(plain.map(([name, value]) => [name, { value }])),
    ...Object.fromEntries(secrets),
  };
}
