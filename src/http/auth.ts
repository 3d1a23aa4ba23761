import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { RoundhouseError } from '../errors.ts';
import { hostNameOf, isLoopback } from './loopback.ts';

/** A key as the configuration has it: never the key itself. */
export interface KeyEntry {
  /** The tenant whose sessions it sees. */
  readonly id: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly hash: string;
  /** Whether it may also run the server. */
  readonly admin?: boolean | undefined;
}

/** Who makes a request. */
export interface Caller {
  /** Whose sessions it may see. */
  readonly tenant: string;
  readonly admin: boolean;
}

/** The tenant of everybody, while no keys are configured. */
export const DEFAULT_TENANT = 'default';

/** The hash of a key, as the configuration wants it. Keys must be random (32 bytes or more): the hash has no salt. */
export function hashKey(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/** Tells who makes a request, or throws `unauthorized` or `forbidden`. */
export type Authenticator = (headers: IncomingHttpHeaders) => Caller;

/**
 * With keys: `x-api-key` or a bearer token must be one of them; every hash is compared, in constant time. Without keys:
 * everybody is {@link DEFAULT_TENANT} and may everything, but the request must be meant for loopback and not come from another site's page,
 * else a web page could use the server through its reader's browser (CSRF, DNS rebinding).
 */
export function createAuthenticator(keys: readonly KeyEntry[]): Authenticator {
  if (keys.length === 0) return authenticateLocal;
  const entries = keys.map((key) => ({
    caller: { tenant: key.id, admin: key.admin === true },
    digest: Buffer.from(key.hash.slice(7), 'hex'),
  }));
  return (headers) => {
    const presented = presentedKey(headers);
    if (presented === undefined) {
      throw new RoundhouseError(
        'unauthorized',
        'This server requires a key: expected x-api-key or authorization: Bearer, got neither.',
      );
    }
    const digest = createHash('sha256').update(presented).digest();
    let caller: Caller | undefined;
    for (const entry of entries) {
      if (timingSafeEqual(entry.digest, digest)) caller = entry.caller;
    }
    if (caller === undefined) {
      throw new RoundhouseError('unauthorized', 'The key is not one of this server; check it.');
    }
    return caller;
  };
}

/** Throws `configuration_invalid` for an address beyond loopback without keys. Call before listening. */
export function assertBindAllowed(host: string, keys: readonly KeyEntry[]): void {
  if (keys.length > 0 || isLoopback(host)) return;
  throw new RoundhouseError(
    'configuration_invalid',
    `server.host is ${host}, which others can reach, and server.keys is empty: expected a loopback address (127.0.0.1, ::1, localhost) or at least one key. Add a key, or listen on 127.0.0.1.`,
  );
}

function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const apiKey = headers['x-api-key'];
  if (typeof apiKey === 'string' && apiKey !== '') return apiKey;
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? '');
  return bearer?.[1];
}

function authenticateLocal(headers: IncomingHttpHeaders): Caller {
  const host = headers.host ?? '';
  if (!isLoopback(hostNameOf(host))) {
    throw new RoundhouseError(
      'forbidden',
      `Without keys this server answers on loopback names only: expected the host header localhost, 127.0.0.1 or [::1], got ${JSON.stringify(host)}. Configure a key to use another name.`,
    );
  }
  const { origin } = headers;
  if (origin !== undefined && !isLoopback(originHost(origin))) {
    throw new RoundhouseError(
      'forbidden',
      `Without keys this server takes no requests from web pages of other sites: got the origin ${JSON.stringify(origin)}. Configure a key.`,
    );
  }
  return { tenant: DEFAULT_TENANT, admin: true };
}

function originHost(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname : '';
}
