import type { MediaObject, OperationObject } from '../document-types.ts';

/** Where a server listens by default; a page that is served elsewhere can be searched and replaced. */
const BASE = 'http://localhost:8787';
const MULTIPART = 'multipart/form-data';

/** A command that calls the operation: ids and the key as variables of the shell, the body of the example. */
export function curlOf(method: string, path: string, operation: OperationObject): string {
  const url = BASE + path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `$${variableOf(name)}`);
  const [media, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const isPublic = operation.security !== undefined;
  return [
    `curl${method === 'GET' ? '' : ` -X ${method}`} "${url}"`,
    ...(isPublic ? [] : ['-H "x-api-key: $ROUNDHOUSE_KEY"']),
    ...(media === undefined || media === MULTIPART ? [] : [`-H 'content-type: ${media}'`]),
    ...bodyOf(media, content),
  ].join(' \\\n  ');
}

/** `agentId` as `AGENT_ID`. */
function variableOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, '_$&').toUpperCase();
}

function bodyOf(media: string | undefined, content: MediaObject | undefined): string[] {
  const example = content?.example;
  if (example === undefined) return [];
  if (media !== MULTIPART) return [`-d ${quoted(JSON.stringify(example))}`];
  const fields = typeof example === 'object' && example !== null ? Object.entries(example) : [];
  return fields.map(([name, value]) =>
    name === 'file' ? '-F file=@data.csv' : `-F ${quoted(`${name}=${String(value)}`)}`,
  );
}

/** As one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
