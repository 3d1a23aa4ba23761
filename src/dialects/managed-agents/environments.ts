import type { BetaEnvironment } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type { EnvironmentDefinition, Variable, Workspace } from '../../definitions/environment.ts';
import type { Kept } from '../../definitions/kept.ts';
import type { TurnLimits } from '../../definitions/turn-limits.ts';
import { RoundhouseError } from '../../errors.ts';
import { checkMetadata, patched } from './common-schema.ts';
import {
  environmentCreateSchema,
  environmentUpdateSchema,
  type WorkspaceInput,
} from './environment-schema.ts';
import { toApiLimits, toTurnLimits } from './limits-schema.ts';
import { parseBody } from './parse-body.ts';

const MAX_VARIABLES = 64;

const FRESH: Workspace = { type: 'fresh' };

/** What the API has no words for, in the answers' `roundhouse`. */
export interface EnvironmentExtension {
  readonly workspace: Workspace;
  /** A secret one has no value here. */
  readonly variables: Readonly<
    Record<string, { readonly secret: boolean; readonly value?: string }>
  >;
  /** By their names in the API, ms. Those that are left out are the host's. */
  readonly limits: Readonly<Record<string, number>>;
}

/**
 * The environment that a body of `POST /v1/environments` defines. Throws `unsupported_field` or `invalid_request`, naming
 * the fields.
 */
export function parseEnvironmentCreate(body: unknown): EnvironmentDefinition {
  const {
    name,
    description = null,
    metadata,
    roundhouse,
  } = parseBody(environmentCreateSchema, body, isVariable);
  return checked({
    name,
    description,
    metadata: metadata ?? {},
    workspace: workspaceOf(roundhouse?.workspace),
    variables: variablesOf({}, roundhouse?.variables),
    limits: toTurnLimits(roundhouse?.limits),
  });
}

/**
 * The change that a body of `POST /v1/environments/{id}` asks for: what it omits stays. Throws as
 * {@link parseEnvironmentCreate}; so does the change, where its result is not an environment.
 */
export function parseEnvironmentUpdate(
  body: unknown,
): (current: EnvironmentDefinition) => EnvironmentDefinition {
  const { name, description, metadata, roundhouse } = parseBody(
    environmentUpdateSchema,
    body,
    isVariable,
  );
  const workspace = roundhouse?.workspace;
  return (current) =>
    checked({
      name: name ?? current.name,
      description: description === undefined ? current.description : description,
      metadata: patched(current.metadata, metadata, (value) => value === ''),
      workspace: workspace === undefined ? current.workspace : workspaceOf(workspace),
      variables: variablesOf(current.variables, roundhouse?.variables),
      limits: toTurnLimits(patched(toApiLimits(current.limits), roundhouse?.limits)),
    });
}

/** An environment as the API shows it, with our extension. */
export function toEnvironment(
  environment: Kept<EnvironmentDefinition>,
): BetaEnvironment & { readonly roundhouse: EnvironmentExtension } {
  const { name, description, metadata, workspace, variables, limits } = environment.body;
  return {
    type: 'environment',
    id: environment.id,
    name,
    description,
    metadata,
    scope: 'organization',
    config: {
      type: 'cloud',
      networking: { type: 'unrestricted' },
      packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
    },
    created_at: environment.createdAt,
    updated_at: environment.updatedAt,
    archived_at: environment.archivedAt,
    roundhouse: {
      workspace,
      variables: Object.fromEntries(
        Object.entries(variables).map(([variable, { value, secret }]) => [
          variable,
          secret ? { secret } : { value, secret },
        ]),
      ),
      limits: toApiLimits(limits),
    },
  };
}

/** What stands there may be a secret, also where it has not the form of one. */
function isVariable([first, second]: readonly PropertyKey[]): boolean {
  return first === 'roundhouse' && second === 'variables';
}

function checked(definition: EnvironmentDefinition): EnvironmentDefinition {
  checkMetadata(definition.metadata);
  checkLimits(definition.limits);
  const count = Object.keys(definition.variables).length;
  if (count <= MAX_VARIABLES) return definition;
  throw new RoundhouseError(
    'invalid_request',
    `roundhouse.variables: expected at most ${MAX_VARIABLES}, got ${count}; remove some`,
  );
}

/** As the configuration asks for: a process that takes no prompt must show before a silence does. */
function checkLimits({ firstMessageMs, silenceMs }: Partial<TurnLimits> = {}): void {
  if (firstMessageMs === undefined || silenceMs === undefined) return;
  if (firstMessageMs < silenceMs) return;
  throw new RoundhouseError(
    'invalid_request',
    `roundhouse.limits.first_message_ms: expected less than roundhouse.limits.silence_ms (${silenceMs}), got ${firstMessageMs}; lower it, or raise the other`,
  );
}

function workspaceOf(given: WorkspaceInput | null | undefined): Workspace {
  if (given?.type !== 'git_clone') return given ?? FRESH;
  return { ...given, ref: given.ref ?? null };
}

/** A new value without a word about secrecy is as secret as the old one was. */
function variablesOf(
  current: EnvironmentDefinition['variables'],
  given:
    | Readonly<Record<string, { value: string; secret?: boolean | undefined } | null>>
    | null
    | undefined,
): Record<string, Variable> {
  const changes = Object.entries(given ?? {}).map(([name, sent]): [string, Variable | null] => {
    if (sent === null) return [name, null];
    return [name, { value: sent.value, secret: sent.secret ?? current[name]?.secret ?? false }];
  });
  return patched(current, Object.fromEntries(changes));
}
