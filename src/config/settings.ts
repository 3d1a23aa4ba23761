import { z } from 'zod';

import { configSchema } from './schema.ts';

/** One value that can be set: a leaf of the schema, with its names in every source. */
export interface Setting {
  /** In the file, for example `pool.maxProcesses`. */
  readonly path: string;
  /** For example `ROUNDHOUSE_POOL_MAX_PROCESSES`. */
  readonly env: string;
  /** Without the dashes, for example `max-processes`. */
  readonly flag: string;
  readonly type: 'integer' | 'boolean' | 'string' | 'list';
  /** Names within the items of a list of objects; else empty. */
  readonly itemKeys: readonly string[];
  /** What is accepted, as the end of a sentence that begins with "expected". */
  readonly expected: string;
  /** Undefined when the default depends on the machine; the description tells it then. */
  readonly default: unknown;
  readonly description: string;
  /** Whether the value is never shown. */
  readonly secret: boolean;
}

/** All names of environment variables of ours begin with it. */
export const ENV_PREFIX = 'ROUNDHOUSE_';

/** The settings that people type most have short flags; the others are named after their path. */
const SHORT_FLAGS: Readonly<Record<string, string>> = {
  'server.host': 'host',
  'server.port': 'port',
  'pool.maxProcesses': 'max-processes',
};

/** The part of JSON Schema that our schema uses. */
interface JsonNode {
  readonly type?: string | undefined;
  readonly properties?: Readonly<Record<string, JsonNode>> | undefined;
  readonly items?: JsonNode | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly minLength?: number | undefined;
  readonly default?: unknown;
  readonly description?: string | undefined;
  readonly secret?: boolean | undefined;
}

const jsonNode: z.ZodType<JsonNode> = z.lazy(() =>
  z.object({
    type: z.string().optional(),
    properties: z.record(z.string(), jsonNode).optional(),
    items: jsonNode.optional(),
    enum: z.array(z.string()).optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    minLength: z.number().optional(),
    default: z.unknown().optional(),
    description: z.string().optional(),
    secret: z.boolean().optional(),
  }),
);

/** Every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = leaves(
  jsonNode.parse(z.toJSONSchema(configSchema, { io: 'input' })),
  [],
);

/** Names of the groups, for example `pool.limits`: paths that hold settings and are none. */
export const GROUPS: ReadonlySet<string> = new Set(
  SETTINGS.flatMap(({ path }) => {
    const parts = path.split('.');
    return parts.map((_, end) => parts.slice(0, end).join('.'));
  }),
);

function leaves(node: JsonNode, path: readonly string[]): Setting[] {
  if (node.properties === undefined) return [setting(node, path)];
  return Object.entries(node.properties).flatMap(([name, child]) => leaves(child, [...path, name]));
}

function setting(node: JsonNode, parts: readonly string[]): Setting {
  const path = parts.join('.');
  const words = parts.map((part) =>
    part.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  );
  const flag = words.join('-');
  return {
    path,
    env: `${ENV_PREFIX}${flag.replaceAll('-', '_').toUpperCase()}`,
    flag: SHORT_FLAGS[path] ?? flag,
    type: typeOf(node),
    itemKeys: Object.keys(node.items?.properties ?? {}),
    expected: expectedOf(node),
    default: node.default,
    description: node.description ?? '',
    secret: node.secret ?? false,
  };
}

function typeOf(node: JsonNode): Setting['type'] {
  if (node.type === 'array') return 'list';
  if (node.type === 'integer' || node.type === 'boolean' || node.type === 'string')
    return node.type;
  throw new TypeError(`No way is known to read a setting of the type ${node.type}.`);
}

function expectedOf(node: JsonNode): string {
  if (node.enum !== undefined) return `one of ${node.enum.join(', ')}`;
  const parts = node.items?.properties;
  const accepted: Record<Setting['type'], string> = {
    integer: `a whole number from ${node.minimum} to ${node.maximum}`,
    boolean: 'true or false',
    string: (node.minLength ?? 0) > 0 ? 'a text that is not empty' : 'a text',
    list: parts === undefined ? 'a list of texts' : `a list of {${Object.keys(parts).join(', ')}}`,
  };
  return accepted[typeOf(node)];
}
