import { RoundhouseError } from '../errors.ts';

/** What answers: a model behind one of the ways that Claude Code knows, or the embedded simulator. */
export type UpstreamKind =
  | 'anthropic-api-key'
  | 'oauth'
  | 'bedrock'
  | 'vertex'
  | 'custom-endpoint'
  | 'simulator';

/** The upstream, and the part of the environment that agent processes need for it. */
export interface Upstream {
  readonly kind: UpstreamKind;
  /** An allow-list's worth: nothing else of the server's environment reaches an agent. Empty for the simulator. */
  readonly variables: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** How to reach anything at all. */
const NETWORK =
  /^(HTTPS?_PROXY|NO_PROXY|ALL_PROXY|https?_proxy|no_proxy|all_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/;
/** Names of models, which differ between the upstreams. */
const MODELS = /^ANTHROPIC_(MODEL|SMALL_FAST_MODEL|DEFAULT_(OPUS|SONNET|HAIKU|FABLE)_MODEL)$/;
const ANTHROPIC = /^ANTHROPIC_(API_KEY|AUTH_TOKEN|BASE_URL|CUSTOM_HEADERS)$/;
const BEDROCK =
  /^(CLAUDE_CODE_USE_BEDROCK|CLAUDE_CODE_SKIP_BEDROCK_AUTH|ANTHROPIC_BEDROCK_BASE_URL|AWS_[A-Z0-9_]+)$/;
const VERTEX =
  /^(CLAUDE_CODE_USE_VERTEX|CLAUDE_CODE_SKIP_VERTEX_AUTH|ANTHROPIC_VERTEX_(BASE_URL|PROJECT_ID)|CLOUD_ML_REGION|GOOGLE_[A-Z0-9_]+|GCLOUD_PROJECT|VERTEX_REGION_[A-Z0-9_]+)$/;

/** The variables that each kind passes on. */
const ALLOWED: Readonly<Record<UpstreamKind, readonly RegExp[]>> = {
  'anthropic-api-key': [ANTHROPIC, MODELS, NETWORK],
  oauth: [/^CLAUDE_CODE_OAUTH_TOKEN$/, MODELS, NETWORK],
  bedrock: [BEDROCK, MODELS, NETWORK],
  vertex: [VERTEX, MODELS, NETWORK],
  'custom-endpoint': [ANTHROPIC, MODELS, NETWORK],
  simulator: [],
};

/** Claude Code wants some key also where the endpoint asks for none (a local model server). */
const NO_KEY_NEEDED = 'no-key-needed';

/**
 * Finds the upstream in an environment, in the order in which Claude Code itself would choose. Without any credential, or
 * always when `mode` says so, it is the simulator. `configuration_invalid` when there is none and `mode` is `never`.
 */
export function resolveUpstream(
  env: Environment,
  mode: 'auto' | 'always' | 'never' = 'auto',
): Upstream {
  const kind = mode === 'always' ? 'simulator' : kindOf(env);
  if (kind === 'simulator' && mode === 'never') {
    throw new RoundhouseError(
      'configuration_invalid',
      'No credential for a model was found and the simulator is switched off: set ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, CLAUDE_CODE_OAUTH_TOKEN, ANTHROPIC_BASE_URL, or CLAUDE_CODE_USE_BEDROCK or CLAUDE_CODE_USE_VERTEX with theirs, or set simulator.mode to auto.',
    );
  }
  return { kind, variables: { ...additions(kind, env), ...pick(env, ALLOWED[kind]) } };
}

/** What the kind needs beyond the environment's own variables, which beat it. */
function additions(kind: UpstreamKind, env: Environment): Record<string, string> {
  if (kind === 'bedrock') return awsFiles(env);
  if (kind !== 'custom-endpoint') return {};
  const hasCredential = isSet(env, 'ANTHROPIC_API_KEY') || isSet(env, 'ANTHROPIC_AUTH_TOKEN');
  return hasCredential ? {} : { ANTHROPIC_API_KEY: NO_KEY_NEEDED };
}

function kindOf(env: Environment): UpstreamKind {
  if (isOn(env, 'CLAUDE_CODE_USE_BEDROCK')) return 'bedrock';
  if (isOn(env, 'CLAUDE_CODE_USE_VERTEX')) return 'vertex';
  if (isSet(env, 'ANTHROPIC_BASE_URL')) return 'custom-endpoint';
  if (isSet(env, 'ANTHROPIC_API_KEY') || isSet(env, 'ANTHROPIC_AUTH_TOKEN')) {
    return 'anthropic-api-key';
  }
  return isSet(env, 'CLAUDE_CODE_OAUTH_TOKEN') ? 'oauth' : 'simulator';
}

/** Agents have a home folder of their own, so the user's AWS files must be named. */
function awsFiles(env: Environment): Record<string, string> {
  const home = env['HOME'];
  if (home === undefined || home === '') return {};
  return {
    AWS_CONFIG_FILE: `${home}/.aws/config`,
    AWS_SHARED_CREDENTIALS_FILE: `${home}/.aws/credentials`,
  };
}

function pick(env: Environment, allowed: readonly RegExp[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    if (allowed.some((names) => names.test(name))) picked[name] = value;
  }
  return picked;
}

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? '') !== '';
}

function isOn(env: Environment, name: string): boolean {
  return ['1', 'true', 'yes', 'on'].includes((env[name] ?? '').toLowerCase());
}
