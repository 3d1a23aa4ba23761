import { readFileSync } from 'node:fs';

import type { CliContext } from '../context.ts';
import { CLIENT_URL_ENV } from '../../config/environment-names.ts';
import { UsageError } from '../usage-error.ts';

/** Addresses on which a server listens for everybody; one talks with it on loopback. */
const EVERYWHERE = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/**
 * The server to talk with, without a slash at the end: `--url`, else `ROUNDHOUSE_URL`, else the one that the configuration of
 * this machine describes. Throws {@link UsageError} for what is no such URL, `configuration_invalid` for a configuration
 * with mistakes.
 */
export async function serverUrl(flag: string | undefined, { env }: CliContext): Promise<string> {
  if (flag !== undefined) return checked(flag, '--url');
  const named = env[CLIENT_URL_ENV];
  if (named !== undefined && named !== '') return checked(named, CLIENT_URL_ENV);
  // The schema takes longer to load than most requests do, so only who needs it waits for it.
  const { loadConfig } = await import('../../config/load.ts');
  const { config } = loadConfig({ flags: {}, env, readFile: (path) => readFileSync(path, 'utf8') });
  const host = EVERYWHERE.get(config.server.host) ?? config.server.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${config.server.port}`;
}

/** Never repeats a URL with a password in it. */
function checked(text: string, name: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.username !== '' || url.password !== '')) {
    throw new UsageError(`${name}: expected a URL without a password: name the key with --key.`);
  }
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new UsageError(
      `${name}: expected a URL such as http://127.0.0.1:8787, got ${JSON.stringify(text)}.`,
    );
  }
  return text.replace(/\/+$/, '');
}
