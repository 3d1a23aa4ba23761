import { RoundhouseError } from '../../errors.ts';

/**
 * Families of variables that may reach an agent process: how to find the model API, how to prove who we are, and how to get
 * there. Which of them a deployment needs is the configuration's business; this is the driver's own last check, so that
 * nothing else (a loader's hook, a switch that skips permissions) can come in by that way.
 */
const ALLOWED: readonly RegExp[] = [
  /^ANTHROPIC_[A-Z0-9_]+$/,
  /^CLAUDE_CODE_(?:OAUTH_TOKEN|(?:USE|SKIP)_(?:BEDROCK|VERTEX)(?:_AUTH)?)$/,
  /^AWS_[A-Z0-9_]+$/,
  /^(?:GOOGLE|GCLOUD|VERTEX|CLOUD_ML)_[A-Z0-9_]+$/,
  /^(?:HTTPS?|ALL|NO)_PROXY$/i,
  /^(?:NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/,
];

/** Throws `configuration_invalid` for a variable that may not reach an agent: dropping it in silence would hide a mistake. */
export function checkCredentials(credentials: Readonly<Record<string, string>>): void {
  const refused = Object.keys(credentials).filter(
    (name) => !ALLOWED.some((family) => family.test(name)),
  );
  if (refused.length === 0) return;
  throw new RoundhouseError(
    'configuration_invalid',
    `The agent's upstream environment has variables that may not be passed on: ${refused.join(', ')}. ` +
      'Expected only those of the model API (Anthropic, Bedrock, Vertex), of a proxy, or of its certificates.',
  );
}
