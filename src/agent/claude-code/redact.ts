import type { AgentSpec } from '../../contracts/agent-driver.ts';

/** Replaces secrets in a text that leaves the driver: errors, logs, the tail of stderr. */
export type Redact = (text: string) => string;

const PLACEHOLDER = '[redacted]';
/** Names whose value proves who we are; the rest (regions, project ids, model names) is useful in an error. */
const SECRET_NAME = /KEY|TOKEN|SECRET|HEADERS/;
/** A shorter value would blacken ordinary words, and is no secret that protects anything. */
const SHORTEST_SECRET = 5;
const URL_WITH_PASSWORD = /\/\/[^/\s@]+@/g;

/**
 * Builds the {@link Redact} of one set of credentials, and of a session's secret variables. Passwords inside URLs go too,
 * whoever they belong to.
 */
export function createRedact(
  credentials: Readonly<Record<string, string>>,
  variables: AgentSpec['variables'] = {},
): Redact {
  const secrets = [
    ...Object.entries(credentials).flatMap(([name, value]) =>
      SECRET_NAME.test(name) ? value : [],
    ),
    ...Object.values(variables).flatMap(({ secret, value }) => (secret ? value : [])),
  ]
    .flatMap((value) => [value, ...value.split(/[\s:]+/)])
    .filter((value) => value.length >= SHORTEST_SECRET)
    // The longest first, so that no part of one is left over.
    .toSorted((a, b) => b.length - a.length);
  return (text) =>
    secrets
      .reduce((current, secret) => current.replaceAll(secret, PLACEHOLDER), text)
      .replaceAll(URL_WITH_PASSWORD, `//${PLACEHOLDER}@`);
}
