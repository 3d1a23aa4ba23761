import type {
  AgentCreateParams,
  AgentUpdateParams,
  BetaManagedAgentsMCPServerURLDefinition,
  BetaManagedAgentsModelConfigParams,
  BetaManagedAgentsWebFetchToolConfigParams,
  BetaManagedAgentsWebSearchToolConfigParams,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type {
  BetaManagedAgentsBudgetLimit,
  SessionCreateParams,
  SessionListParams,
  SessionUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type {
  BetaCloudConfigParams,
  EnvironmentCreateParams,
  EnvironmentUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';

import type { FileListParams, FileUploadParams } from '@anthropic-ai/sdk/resources/beta/files';

/**
 * What happens to a field of a request: it takes effect; it is refused by name with 400, because this host can't honour it;
 * or it is ignored, and named in the header `x-roundhouse-ignored`.
 */
export interface FieldRule {
  readonly effect: 'takes effect' | 'ignored' | 'refused';
  /** One sentence for docs/managed-agents.md; of a refused field also for the client. */
  readonly note: string;
}

function takesEffect(note: string): FieldRule {
  return { effect: 'takes effect', note };
}

function refused(note: string): FieldRule {
  return { effect: 'refused', note };
}

const HEADER = takesEffect(
  'A header, `anthropic-beta`; accepted with any value, and not required.',
);
const WORKSPACE: FieldRule = {
  effect: 'ignored',
  note: 'A header, `anthropic-workspace-id`; a key has one workspace here.',
};
const METADATA = takesEffect(
  'At most 16 pairs, keys of 1 to 64 characters, values up to 512. On update a patch.',
);

/** `prefix` before every key of `Fields`. */
type Nested<Prefix extends string, Fields> = `${Prefix}.${Extract<keyof Fields, string>}`;
type ToolConfig = BetaManagedAgentsWebFetchToolConfigParams &
  BetaManagedAgentsWebSearchToolConfigParams;

/** Every field of the SDK's parameters for agents, and those inside that need a word; the compiler misses none. */
export const AGENT_FIELDS = {
  name: takesEffect('1 to 256 characters.'),
  model: takesEffect(
    'A name or an object; one of `GET /v1/models`, else 404. On update the whole object is replaced, but for `effort`.',
  ),
  'model.id': takesEffect('As `model`.'),
  'model.effort': takesEffect(
    "`low` to `max`, as a word or `{type}`; null is the model's own default, which is not shown. Omitted on update: stays.",
  ),
  'model.inference_geo': refused('where the model runs is fixed by the upstream of this server'),
  'model.speed': refused('only `standard`'),
  description: takesEffect('Up to 2,048 characters; empty is null.'),
  system: takesEffect(
    "Up to 100,000 characters; empty is null. Replaces the agent's own system prompt.",
  ),
  tools: takesEffect(
    'One `agent_toolset_20260401` at most, one `mcp_toolset` for each server, custom tools of different names; at most 256 tools, where the agent toolset counts 8, an `mcp_toolset` its `configs`. Where the operator has switched the agents’ own tools off, none of them may be enabled.',
  ),
  'tools.*.default_config': takesEffect(
    '`enabled` is true unless given; `permission_policy` is `always_allow` for the agent toolset and `always_ask` for an `mcp_toolset`.',
  ),
  'tools.*.configs': takesEffect(
    'One for each tool; what it leaves out comes from `default_config`.',
  ),
  'tools.*.configs.*.name': takesEffect(
    '`bash`, `read`, `write`, `edit`, `glob`, `grep`, `web_fetch`, `web_search`: Claude Code’s own tools. In an `mcp_toolset` 1 to 128 characters.',
  ),
  'tools.*.configs.*.type': takesEffect('The same as `name`, or left out.'),
  'tools.*.configs.*.enabled': takesEffect('Whether the tool exists for the model.'),
  'tools.*.configs.*.permission_policy': takesEffect('`always_allow` or `always_ask`.'),
  'tools.*.permission_policy.auto': refused(
    'nobody here judges calls one by one; use always_allow or always_ask',
  ),
  'tools.*.configs.*.allowed_domains': refused('domains can not be limited yet'),
  'tools.*.configs.*.blocked_domains': refused('domains can not be limited yet'),
  'tools.*.configs.*.max_content_tokens': refused('the agent has no such setting'),
  'tools.*.configs.*.url_sources': refused('the agent has no such setting'),
  'tools.*.configs.*.user_location': refused('the agent has no such setting'),
  mcp_servers: takesEffect('At most 20, of different names, each referenced by an `mcp_toolset`.'),
  'mcp_servers.*.type': takesEffect('`url`.'),
  'mcp_servers.*.name': takesEffect('1 to 255 characters.'),
  'mcp_servers.*.url': takesEffect(
    'An http or https URL, of those that the operator allows: `agent.mcpServers`, `agent.mcpHosts`.',
  ),
  metadata: METADATA,
  skills: refused('there are no skills here; `[]` is accepted'),
  multiagent: refused('an agent has one thread here'),
  execution_identity: refused('only `{"type": "service_account"}`'),
  version: takesEffect('On update: 409 unless it is the version that holds.'),
  betas: HEADER,
  workspace_id: WORKSPACE,
} as const satisfies Record<
  | keyof AgentCreateParams
  | keyof AgentUpdateParams
  | Nested<'model', BetaManagedAgentsModelConfigParams>
  | Nested<'mcp_servers.*', BetaManagedAgentsMCPServerURLDefinition>
  | Nested<'tools.*.configs.*', ToolConfig>
  | 'tools.*.default_config'
  | 'tools.*.configs'
  | 'tools.*.permission_policy.auto',
  FieldRule
>;

/** Every field of the SDK's parameters for environments, and our own. */
export const ENVIRONMENT_FIELDS = {
  name: takesEffect('1 to 256 characters; need not be unique.'),
  description: takesEffect('Up to 2,048 characters.'),
  metadata: METADATA,
  scope: takesEffect('`organization`: the key. `account` is refused.'),
  config: takesEffect('`cloud`, which means this host; the same as none.'),
  'config.type': takesEffect('`cloud`. `self_hosted` is refused.'),
  'config.networking': refused(
    'only `{"type": "unrestricted"}`: the network can not be limited yet',
  ),
  'config.packages': refused('packages can not be installed yet; empty lists are accepted'),
  'config.type.self_hosted': refused('there are no workers here; `cloud` means this host'),
  'scope.account': refused('an environment belongs to its key'),
  roundhouse: takesEffect('Ours, not in the API; see below.'),
  'roundhouse.workspace': takesEffect(
    '`{"type": "fresh"}` (default): an empty folder for each session. `{"type": "folder", "path"}`: that folder, which the operator must have allowed. `{"type": "git_clone", "path", "ref"?}`: a clone for each session. Null on update: the default.',
  ),
  'roundhouse.workspace.path': takesEffect(
    'An absolute path on this host, of those that the operator allows; for a clone the folder of a git repository, with a working tree or bare.',
  ),
  'roundhouse.workspace.ref': takesEffect(
    'Of a clone: a branch, a tag or the full id of a commit. Null, or left out: what is checked out there.',
  ),
  'roundhouse.variables': takesEffect(
    'At most 64, by name: `{"value", "secret"?}`, values up to 32,768 characters; names that the operator has allowed (`environments.variables`). A secret value is never shown again. On update a patch: null removes.',
  ),
  'roundhouse.limits': takesEffect(
    'Limits of the turns of its sessions, in ms, by name: those of `pool.limits`, written as `turn_ms`, `first_token_ms`, `tool_ms`, …, within the same bounds. Those that are left out are the host’s. On update a patch: null removes.',
  ),
  betas: HEADER,
  workspace_id: WORKSPACE,
} as const satisfies Record<
  | keyof EnvironmentCreateParams
  | keyof EnvironmentUpdateParams
  | Nested<'config', BetaCloudConfigParams>
  | 'config.type.self_hosted'
  | 'scope.account'
  | 'roundhouse'
  | `roundhouse.${string}`,
  FieldRule
>;

/** Every field of the SDK's parameters for making and changing sessions, and those inside that need a word. */
export const SESSION_FIELDS = {
  agent: takesEffect(
    'An id (the version that holds), `{type: "agent", id, version?}`, or `{type: "agent_with_overrides", id, version?}` with `model`, `system`, `tools`, `mcp_servers` of the session alone. On update `{tools?, mcp_servers?}`, each replaced as a whole, while the session does not run.',
  ),
  'agent.skills': refused('there are no skills here; `[]` is accepted'),
  environment_id: takesEffect('One that is not archived.'),
  budget: takesEffect(
    'Enforced before and after each turn and where a tool begins or ends (below); for models with a public list price only. On update it can be replaced, by more than the session has cost, or removed with null; it can not be added.',
  ),
  'budget.type': takesEffect('`limit`.'),
  'budget.max_list_cost': takesEffect('Whole cents as text, from 1; `USD`.'),
  initial_events: takesEffect(
    'Up to 50 of `user.message`, each a prompt. They are kept when the answer comes.',
  ),
  'initial_events.*.type.user.define_outcome': refused('nobody here judges outcomes'),
  'initial_events.*.content.*.source.file': takesEffect(
    'A file that was uploaded: an image (JPEG, PNG, GIF, WebP), or as a document a PDF or plain text. It is read when the message is taken. The same in `events.send`.',
  ),
  'initial_events.*.content.*.type.redacted': refused('the agent needs the text itself'),
  metadata: METADATA,
  resources: takesEffect(
    'Files, at most 100, at different places; only where the environment gives each session a workspace of its own. Not on update.',
  ),
  'resources.*.file_id': takesEffect('A file that was uploaded.'),
  'resources.*.mount_path': takesEffect(
    'An absolute path with a folder, without `..`, `.git` or `.claude`; the workspace is its root. Default `/mnt/session/uploads/` and the file id.',
  ),
  'resources.*.type.github_repository': refused(
    'nothing is fetched from GitHub; an environment can give its sessions a clone of a repository of this host: `roundhouse.workspace`',
  ),
  'resources.*.type.memory_store': refused('there are no memory stores here'),
  title: takesEffect('Up to 1,024 characters; empty is null.'),
  vault_ids: refused('there are no vaults here; `[]` is accepted'),
  betas: HEADER,
  workspace_id: WORKSPACE,
} as const satisfies Record<
  | keyof SessionCreateParams
  | keyof SessionUpdateParams
  | Nested<'budget', BetaManagedAgentsBudgetLimit>
  | `agent.${string}`
  | `initial_events.${string}`
  | `resources.${string}`,
  FieldRule
>;

/** Every parameter of the SDK for listing sessions. */
export const SESSION_LIST_FIELDS = {
  limit: takesEffect('1 to 100, by default 20.'),
  page: takesEffect('The `next_page` or `prev_page` of another page of the same order.'),
  order: takesEffect('`desc` (default), the newest first, or `asc`.'),
  agent_id: takesEffect('Those made of that agent.'),
  agent_version: takesEffect('Only together with `agent_id`.'),
  'created_at[gt]': takesEffect('A time in RFC 3339, to the millisecond.'),
  'created_at[gte]': takesEffect('As `created_at[gt]`.'),
  'created_at[lt]': takesEffect('As `created_at[gt]`.'),
  'created_at[lte]': takesEffect('As `created_at[gt]`.'),
  include_archived: takesEffect('`true` or `false` (default).'),
  statuses: takesEffect(
    'Repeated for several. What a session does may have changed by the time of the next page. `terminated` is none of ours.',
  ),
  deployment_id: refused('there are no deployments here'),
  memory_store_id: refused('there are no memory stores here'),
  betas: HEADER,
  workspace_id: WORKSPACE,
} as const satisfies Record<keyof SessionListParams, FieldRule>;

/** Every field of the SDK's parameters for files. */
export const FILE_FIELDS = {
  file: takesEffect(
    'A part of `multipart/form-data`, up to `files.maxFileBytes`. Of its `filename` the last component is kept: up to 255 characters, none of `< > : " ? *`, no vertical bar and no control character; without one it is `unnamed` with the extension of its type. A file of no known type (`application/octet-stream`) gets the one that its extension stands for.',
  ),
  expires_in_seconds: takesEffect(
    '3600 to 7776000. Then the bytes go; the file is still listed, and counts as one, until it is deleted.',
  ),
  ids: takesEffect(
    'Of a listing: only these, at most 100, on one page; not beside `limit` or `page`.',
  ),
  scope_id: takesEffect('Of a listing: no file has a scope here, so there are none.'),
  limit: takesEffect('1 to 1000, by default 20.'),
  page: takesEffect('The `next_page` of the page before.'),
  betas: HEADER,
  workspace_id: WORKSPACE,
} as const satisfies Record<keyof FileUploadParams | keyof FileListParams, FieldRule>;
