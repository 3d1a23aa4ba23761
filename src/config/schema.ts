import { isAbsolute } from 'node:path';
import { z } from 'zod';

import { LOG_LEVELS } from '../telemetry/log-level.ts';
import { poolOptionsSchema } from '../pool/options.ts';

/** Model names that Claude Code resolves by itself, and those that the installed SDK knows. */
const DEFAULT_MODELS = [
  'default',
  'opus',
  'sonnet',
  'haiku',
  'claude-opus-5-5',
  'claude-opus-5',
  'claude-opus-4-8',
  'claude-sonnet-5-5',
  'claude-sonnet-5',
  'claude-sonnet-4-6',
  'claude-haiku-5-5',
  'claude-haiku-4-5',
  'claude-fable-5-2',
];

/** Folders that callers may name. */
const foldersSchema = z.array(
  z.string().refine(isAbsolute, {
    error: ({ input }) =>
      `expected an absolute path, such as /srv/projects, got ${JSON.stringify(input)}`,
  }),
);

const keySchema = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected 1 to 64 letters, digits, `.`, `_` or `-`')
    .describe('Names the key in logs and owns its sessions; never change it.'),
  hash: z
    .string()
    .regex(
      /^sha256:[0-9a-f]{64}$/,
      'expected `sha256:` and 64 hex digits, as `roundhouse keys new` prints it',
    )
    .describe('SHA-256 of the key; the key itself is never kept.'),
  name: z.string().max(200).optional().describe('For people.'),
  weight: z
    .number()
    .min(0.1)
    .max(100)
    .optional()
    .describe(
      'Share of the agent processes against the other keys, while several wait. 0.1..100; default 1.',
    ),
  maxTurns: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Turns that may run or queue at once. Turns, 1..100000; default no limit.'),
  maxSessions: z
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .optional()
    .describe(
      'Named sessions that may exist, in memory or not. Sessions, 1..10000000; default no limit.',
    ),
  maxWaiters: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe('Callers that may wait for a process. Callers, 0..10000; default pool.maxWaiters.'),
  workspaces: foldersSchema
    .optional()
    .describe(
      'Folders that its sessions may be told to work in, with all that is below them. Absolute paths; default none, or with one key workspaces.allowed.',
    ),
  admin: z.boolean().optional().describe('Whether the key may also run the server: drain it.'),
});

const serverSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe(
        'Address to listen on. Beyond this machine only with at least one key in server.keys.',
      ),
    port: z
      .number()
      .int()
      .min(0)
      .max(65_535)
      .default(8_787)
      .describe('Port to listen on; 0 takes a free one. 0..65535.'),
    maxBodyBytes: z
      .number()
      .int()
      .min(1_024)
      .max(1_073_741_824)
      .default(33_554_432)
      .describe('Largest request body. Bytes, 1024..1073741824.'),
    keys: z
      .array(keySchema)
      .default([])
      .describe(
        'Keys that clients may use, as a list of `{id, hash, name?, admin?}` and what each may use of what all share: `weight?` (share of the processes while several keys wait, default 1), `maxTurns?` (running and queued), `maxSessions?` (named sessions that exist, until they are deleted), `maxWaiters?` (callers that wait for a process), `workspaces?` (folders that its sessions may be told to work in). `admin: true` also allows `POST /admin/drain`. `roundhouse keys new` makes one. Without any, everybody on this machine may.',
      )
      .meta({ secret: true }),
    heartbeatMs: z
      .number()
      .int()
      .min(1_000)
      .max(300_000)
      .default(15_000)
      .describe('Period of the pings that keep a silent stream open. ms, 1000..300000.'),
    statusHoldMs: z
      .number()
      .int()
      .min(0)
      .max(120_000)
      .default(10_000)
      .describe(
        'How long the HTTP status of a stream is held back, so that an early failure is a real HTTP error. ms, 0..120000.',
      ),
    agentEvents: z
      .boolean()
      .default(false)
      .describe(
        'Whether a key may follow what the agents of its own sessions say, in the agent SDK’s form (`GET /v1/sessions/{id}/roundhouse/agent-events`), for debugging. Off by default: those messages can hold anything that the agent has seen.',
      ),
    oneShotGraceMs: z
      .number()
      .int()
      .min(0)
      .max(600_000)
      .default(2_000)
      .describe('How long a one-shot turn goes on after its last reader has left. ms, 0..600000.'),
    readerMaxItems: z
      .number()
      .int()
      .min(16)
      .max(1_000_000)
      .default(10_000)
      .describe(
        'How far a reader may fall behind before it is cut off; it can come back. Events, 16..1000000.',
      ),
    readerMaxLagMs: z
      .number()
      .int()
      .min(100)
      .max(600_000)
      .default(30_000)
      .describe(
        'How long an event may wait for its reader before that one is cut off, and how long a file may stand still on its way. ms, 100..600000.',
      ),
    readerMaxBytes: z
      .number()
      .int()
      .min(65_536)
      .max(1_073_741_824)
      .default(8_388_608)
      .describe(
        'Memory of the events that may wait for a reader before it is cut off, and of a page of `GET /sessions/{id}/events`. Bytes, roughly, 65536..1073741824.',
      ),
  })
  .superRefine((server, context) => {
    const ids = server.keys.map(({ id }) => id);
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) === index) continue;
      const message = `expected a different id for each key, got ${id} twice`;
      context.addIssue({ code: 'custom', path: ['keys', index, 'id'], message });
    }
    if (ids.length > 0 || isLoopback(server.host)) return;
    context.addIssue({
      code: 'custom',
      path: ['host'],
      message: `expected an address of this machine only (127.0.0.1, ::1, localhost) as long as server.keys is empty, got ${server.host}; make a key with \`roundhouse keys new\``,
    });
  });

const agentSchema = z
  .strictObject({
    executable: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Claude Code executable; by default the one that comes with the Agent SDK. A path.',
      ),
    path: z
      .string()
      .optional()
      .describe("`PATH` of the agents and their tools; by default the server's own."),
    models: z
      .array(z.string().min(1))
      .min(1)
      .default(DEFAULT_MODELS)
      .describe(
        'Models that clients may name. Any other is refused, because Claude Code would accept a name that does not exist.',
      ),
    defaultModel: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Model of sessions that name none; by default Claude Code's own choice. One of agent.models.",
      ),
    maxRetries: z
      .number()
      .int()
      .min(0)
      .max(10)
      .default(3)
      .describe('Retries of a failed model call before the turn fails. Retries, 0..10.'),
    tools: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        "Whether agents have Claude Code's own tools (files, shell); `auto` means only while at most one key is configured, for those tools run as the server's user.",
      ),
    mcpServers: z
      .enum(['auto', 'off', 'https', 'any'])
      .default('auto')
      .describe(
        "MCP servers that agents may connect to, from this machine's network: `off` none, `https` those on the public internet (https, by name), `any` all; `auto` means `https` while at most one key is configured, else `off`. Those of agent.mcpHosts always.",
      ),
    mcpHosts: z
      .array(
        z
          .string()
          .regex(
            /^[A-Za-z0-9._-]+(?::\d{1,5})?$/,
            'expected the name or IPv4 address of a host, and `:port` where only that one is meant',
          ),
      )
      .default([])
      .describe(
        'Hosts whose MCP servers agents may connect to whatever agent.mcpServers says, also over http and on a private network, as a list of `host` or `host:port`.',
      ),
    systemPrompt: z
      .string()
      .min(1)
      .optional()
      .describe('System prompt of sessions that bring none.'),
    systemPromptMode: z
      .enum(['append', 'replace'])
      .default('append')
      .describe(
        "Whether agent.systemPrompt is added to Claude Code's own system prompt or takes its place.",
      ),
  })
  .superRefine(({ models, defaultModel }, context) => {
    if (defaultModel === undefined || models.includes(defaultModel)) return;
    const message = `expected one of agent.models (${models.join(', ')}), got ${defaultModel}`;
    context.addIssue({ code: 'custom', path: ['defaultModel'], message });
  });

/** Everything that can be set. Each leaf tells its unit, bounds and, where it is not a plain value, its default. */
export const configSchema = z
  .strictObject({
    dataDir: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Folder for sessions, transcripts, files and workspaces; by default `$XDG_DATA_HOME/roundhouse`, else `~/.local/share/roundhouse`. A path; one server at a time.',
      ),
    server: serverSchema.prefault({}),
    pool: poolOptionsSchema.prefault({}),
    agent: agentSchema.prefault({}),
    workspaces: z
      .strictObject({
        allowed: foldersSchema
          .default([])
          .describe(
            'Folders that sessions may be told to work in, with all that is below them; symlinks do not lead out. Only while at most one key is configured; with several, each has its own list (`workspaces` in server.keys). Absolute paths.',
          ),
      })
      .prefault({}),
    environments: z
      .strictObject({
        variables: z
          .array(
            z
              .string()
              .regex(
                /^[A-Za-z_][A-Za-z0-9_]*\*?$/,
                'expected the name of a variable, or its beginning and `*`',
              ),
          )
          .default([])
          .describe(
            'Environment variables that clients may set for their agents (`roundhouse.variables` of an environment), as a list of names; `*` at the end of one stands for any rest. None by default. Names that decide which programs run or where a conversation goes (`PATH`, `HTTPS_PROXY`, `ANTHROPIC_…`, …) are never allowed.',
          ),
      })
      .prefault({}),
    files: z
      .strictObject({
        maxFileBytes: z
          .number()
          .int()
          .min(0)
          .max(1_099_511_627_776)
          .default(104_857_600)
          .describe('Largest file that clients may send. Bytes, 0..1099511627776.'),
        maxKeyBytes: z
          .number()
          .int()
          .min(0)
          .max(1_125_899_906_842_624)
          .default(10_737_418_240)
          .describe(
            'Size of all files of a key together, those on their way included. Bytes, 0..1125899906842624.',
          ),
        maxKeyFiles: z
          .number()
          .int()
          .min(0)
          .max(1_000_000)
          .default(10_000)
          .describe('Files that a key may have. Files, 0..1000000.'),
      })
      .prefault({}),
    store: z
      .strictObject({
        synchronous: z
          .enum(['normal', 'full'])
          .default('normal')
          .describe(
            'What acknowledged events survive: `normal` the death of the server, `full` also a loss of power, at the price of slower writes.',
          ),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z
          .enum(LOG_LEVELS)
          .default('info')
          .describe('Least severe level that is logged, to stderr as JSON.'),
      })
      .prefault({}),
    simulator: z
      .strictObject({
        mode: z
          .enum(['auto', 'always', 'never'])
          .default('auto')
          .describe(
            'Whether the embedded simulator answers in the place of a model; `auto` means when the environment holds no credential.',
          ),
        tokenDelayMs: z
          .number()
          .int()
          .min(0)
          .max(10_000)
          .default(20)
          .describe('Pause between two tokens of the embedded simulator. ms, 0..10000.'),
      })
      .prefault({}),
  })
  .superRefine(({ server, workspaces }, context) => {
    if (server.keys.length < 2 || workspaces.allowed.length === 0) return;
    const message =
      'expected none while there are several keys, for what one works on is not the business of the others; give each key its own list (`workspaces` in server.keys)';
    context.addIssue({ code: 'custom', path: ['workspaces', 'allowed'], message });
  });

/** The configuration as it holds: every value is there, and the data directory is absolute. */
export type Config = Omit<z.output<typeof configSchema>, 'dataDir'> & { readonly dataDir: string };

/** A key that clients may use. */
export type KeyConfig = z.output<typeof keySchema>;

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
