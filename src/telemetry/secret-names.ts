/** What stands in the place of a secret, in logs and in the shown configuration. */
export const MASK = '[secret]';

const SECRET_ENDS =
  /(apikey|authorization|token|secret|password|passphrase|cookie|credentials?|privatekey|secretaccesskey|accesskeyid|bearertokenbedrock)$/;

/**
 * Whether a field, header or environment variable of this name holds a secret, whatever its spelling (`apiKey`,
 * `x-api-key`, `ANTHROPIC_API_KEY`). Counts of tokens are none: their names end in `tokens`.
 */
export function isSecretName(name: string): boolean {
  return SECRET_ENDS.test(name.toLowerCase().replaceAll(/[^a-z]/g, ''));
}
