import { createHash, randomBytes } from 'node:crypto';

import type { CliContext } from '../context.ts';

/** 256 random bits: nothing that can be guessed, so a plain hash of it is safe to keep. */
const KEY_BYTES = 32;

/** `roundhouse keys new`: prints a new key, once, and what belongs in the configuration. */
export function newKey(id: string | undefined, context: CliContext): number {
  const name = id ?? `key-${randomBytes(3).toString('hex')}`;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    context.stderr.write(
      `--id: expected 1 to 64 letters, digits, \`.\`, \`_\` or \`-\`, got ${JSON.stringify(name)}\n`,
    );
    return 2;
  }
  const key = `rh_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const hash = createHash('sha256').update(key).digest('hex');
  context.stdout.write(
    [
      'The key, for the client (x-api-key or bearer token). It is shown this once and kept nowhere:',
      '',
      `  ${key}`,
      '',
      'Its hash, for the configuration file of the server:',
      '',
      'server:',
      '  keys:',
      `    - id: ${name}`,
      `      hash: sha256:${hash}`,
      '',
    ].join('\n'),
  );
  return 0;
}
