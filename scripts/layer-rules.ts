/**
 * Who may import whom: an allow-list. What is not listed is forbidden, so a new room, package or exception must be written
 * down here, with its reason. `scripts/check-layers.ts` holds the sources to it.
 */

/** A folder or file of `src/` that stands for one subject. */
export interface Room {
  /** A folder (ending in `/`) or a file. The longest that fits a file is its room. */
  readonly path: string;
  /** Rooms, or files of rooms, that it may import. */
  readonly imports: readonly string[];
  /** What it may load with `import('…')` only, when it turns out to be needed. Types of it too. */
  readonly lazily?: readonly string[];
  /** What it may know the types of, and no more. */
  readonly types?: readonly string[];
  readonly reason: string;
}

const BASE = ['time', 'errors', 'telemetry'];
const MODEL = [...BASE, 'events', 'definitions', 'contracts'];
const CORE = [...MODEL, 'log', 'session', 'pool', 'catalog'];

export const ROOMS: Readonly<Record<string, Room>> = {
  time: {
    path: 'src/time/',
    imports: [],
    reason: 'Everything waits through it, so it may need nothing.',
  },
  errors: {
    path: 'src/errors.ts',
    imports: [],
    reason: 'Everything throws it, so it may need nothing.',
  },
  telemetry: {
    path: 'src/telemetry/',
    imports: ['time', 'errors'],
    reason: 'Every room logs; a logger that knows a room would close a circle.',
  },
  events: {
    path: 'src/events/',
    imports: BASE,
    reason:
      'The event model is what all rooms agree on: types and pure functions, no behaviour of any room.',
  },
  definitions: {
    path: 'src/definitions/',
    imports: [],
    reason:
      'What an agent, an environment, a file and the limits of a turn are is plain data that stores, dialects and the core agree on.',
  },
  contracts: {
    path: 'src/contracts/',
    imports: [...BASE, 'events', 'definitions'],
    reason: 'A contract that knows a user or an implementation of itself is none.',
  },
  log: {
    path: 'src/log/',
    imports: MODEL,
    reason: 'The log serves sessions and does not know what they do.',
  },
  session: {
    path: 'src/session/',
    imports: [...MODEL, 'log'],
    reason:
      'A session must run without a pool, a server or a particular agent, or it can be tested with none of them.',
  },
  pool: {
    path: 'src/pool/',
    imports: [...MODEL, 'log', 'session'],
    reason:
      'The pool is the library; HTTP, configuration and processes are what others bring to it.',
  },
  catalog: {
    path: 'src/catalog/',
    imports: [...MODEL, 'log', 'session', 'pool'],
    reason:
      'What sessions are made of is kept and checked without knowing who asks for it, or in which words.',
  },
  dialects: {
    path: 'src/dialects/',
    imports: ['events', 'definitions', 'errors'],
    reason:
      'A dialect is a pure translation of records and definitions, so that it can be tested with tables and used anywhere.',
  },
  http: {
    path: 'src/http/',
    imports: [...CORE, 'dialects'],
    reason: 'HTTP is one way into the pool; it is given the pool and makes nothing itself.',
  },
  config: {
    path: 'src/config/',
    imports: ['errors', 'telemetry', 'contracts', 'src/pool/options.ts'],
    reason:
      'Each room owns its schema and the configuration composes them; it reaches for nothing but schemas.',
  },
  agent: {
    path: 'src/agent/',
    imports: MODEL,
    reason: 'What drivers share stands on the contracts alone.',
  },
  'agent/claude-code': {
    path: 'src/agent/claude-code/',
    imports: [...MODEL, 'agent'],
    reason:
      'A driver knows the contracts and no other implementation, so that each can be replaced.',
  },
  'agent/scripted': {
    path: 'src/agent/scripted/',
    imports: [...MODEL, 'agent'],
    reason:
      'A driver knows the contracts and no other implementation, so that each can be replaced.',
  },
  store: {
    path: 'src/store/',
    imports: MODEL,
    reason: 'What stores share stands on the contracts alone.',
  },
  'store/sql': {
    path: 'src/store/sql/',
    imports: [...MODEL, 'store'],
    reason:
      'A store knows the contracts and no other implementation, so that each can be replaced.',
  },
  'store/files': {
    path: 'src/store/files/',
    imports: [...MODEL, 'store'],
    reason:
      'A store knows the contracts and no other implementation, so that each can be replaced.',
  },
  'store/memory': {
    path: 'src/store/memory/',
    imports: [...MODEL, 'store'],
    reason:
      'A store knows the contracts and no other implementation, so that each can be replaced.',
  },
  host: {
    path: 'src/host/',
    imports: MODEL,
    reason: 'The host knows the contracts and no other implementation, so that it can be replaced.',
  },
  'tool-endpoint': {
    path: 'src/tool-endpoint/',
    imports: MODEL,
    reason:
      'It speaks MCP to agent processes and knows neither drivers nor sessions, so that each can be replaced.',
  },
  simulator: {
    path: 'src/simulator/',
    imports: ['time'],
    reason: 'It stands for a foreign service: what it shares with us it could not prove.',
  },
  compose: {
    path: 'src/compose.ts',
    imports: [...CORE, 'agent/claude-code', 'store/sql', 'store/files', 'host', 'tool-endpoint'],
    reason: 'The one place that picks implementations; library and server both use it.',
  },
  'open-session-pool': {
    path: 'src/open-session-pool.ts',
    imports: [...CORE, 'compose'],
    reason: 'The way into the library: it checks options and composes.',
  },
  index: {
    path: 'src/index.ts',
    imports: ['open-session-pool', 'errors'],
    types: CORE,
    reason: "The library's face names things and does nothing, so that importing it costs nothing.",
  },
  'pool-gauges': {
    path: 'src/pool-gauges.ts',
    imports: ['telemetry'],
    types: ['compose'],
    reason: 'It shows a composition as metrics and makes none.',
  },
  server: {
    path: 'src/server.ts',
    imports: [...CORE, 'config', 'http', 'compose', 'pool-gauges'],
    // The demo without credentials; with an upstream it is never loaded.
    lazily: ['simulator'],
    reason: 'The server is compose and HTTP; it does not pick implementations.',
  },
  cli: {
    path: 'src/cli/',
    imports: [...BASE, 'config'],
    // `serve` and `simulator` need them; every other command answers before they would have been loaded.
    lazily: ['server', 'simulator'],
    reason:
      'A command reads flags and calls the server or, over HTTP, a running one; --help must not wait for Fastify.',
  },
};

/** Rooms that only {@link ROOMS}' `compose` may name, besides themselves. */
export const IMPLEMENTATIONS = [
  'agent',
  'agent/claude-code',
  'agent/scripted',
  'store',
  'store/sql',
  'store/files',
  'store/memory',
  'host',
  'tool-endpoint',
] as const;

/** A package of npm or of Node, with its subpaths. */
export interface Package {
  readonly rooms: readonly string[];
  readonly types?: readonly string[];
  readonly reason: string;
}

export const PACKAGES: Readonly<Record<string, Package>> = {
  '@anthropic-ai/claude-agent-sdk': {
    rooms: ['agent/claude-code'],
    reason: 'The agent is behind a contract; its types change with every release.',
  },
  '@anthropic-ai/sdk': {
    rooms: ['cli'],
    types: ['events', 'definitions', 'contracts', 'dialects', 'http', 'agent/claude-code'],
    reason: 'Its types are our wire format; the client itself is for the command line only.',
  },
  '@modelcontextprotocol/sdk': {
    rooms: ['tool-endpoint'],
    reason: 'Agents reach the tools of clients by MCP; nothing else here speaks it.',
  },
  '@prometheus-io/client': { rooms: ['telemetry'], reason: 'Rooms count through the port.' },
  pino: { rooms: ['telemetry'], reason: 'Rooms log through the port.' },
  commander: { rooms: ['cli'], reason: 'Flags are an affair of the command line.' },
  '@bomb.sh/tab': { rooms: ['cli'], reason: 'Shells ask the command line what could come next.' },
  yaml: { rooms: ['config', 'cli'], reason: 'Only the configuration is YAML.' },
  zod: {
    rooms: ['definitions', 'config', 'pool', 'dialects', 'http', 'host', 'open-session-pool'],
    reason: 'Values are checked where they enter, once; inside, types suffice.',
  },
  '@fastify/multipart': {
    rooms: ['http'],
    reason: 'Files come in the body of one route.',
  },
  fastify: { rooms: ['http'], reason: 'Nothing but HTTP may need a framework for it.' },
  kysely: { rooms: ['store/sql'], reason: 'SQL is one way to keep sessions.' },
  'node:sqlite': { rooms: ['store/sql'], reason: 'SQL is one way to keep sessions.' },
  'node:child_process': {
    rooms: ['agent/claude-code', 'host'],
    reason: 'Every process has one owner that also sees to its end.',
  },
  'node:fs': {
    rooms: ['agent/claude-code', 'store/sql', 'store/files', 'host', 'config', 'cli'],
    reason: 'Disks are reached through the store and the host.',
  },
  'node:http': {
    rooms: ['simulator', 'tool-endpoint'],
    types: ['http'],
    reason:
      'Fastify owns the sockets of the server; what stands for another one, or is for agents only, has its own.',
  },
  'node:net': {
    rooms: ['http'],
    reason: 'Sockets belong to HTTP; it tells addresses apart with it.',
  },
  'node:module': {
    rooms: ['agent/claude-code'],
    reason: 'To find the executable inside a package; anything else is a hidden import.',
  },
  'node:os': {
    rooms: ['compose', 'store/sql', 'host', 'config'],
    reason: 'What depends on the machine is asked once, at the edge.',
  },
  'node:path': {
    rooms: [
      'compose',
      'open-session-pool',
      'agent/claude-code',
      'store/sql',
      'store/files',
      'host',
      'config',
      'cli',
    ],
    reason: 'Who has no files has no paths.',
  },
  'node:crypto': {
    rooms: [
      'events',
      'session',
      'store',
      'http',
      'simulator',
      'tool-endpoint',
      'agent/claude-code',
      'compose',
      'cli',
    ],
    reason: 'Ids and hashes are made in few places, so that their form can be told.',
  },
  'node:util': {
    rooms: ['catalog'],
    reason: 'Whether a change changes anything is asked of Node, for data of any depth.',
  },
  'node:readline': { rooms: ['cli'], reason: 'Only the command line talks with a person.' },
  'node:events': {
    rooms: ['tool-endpoint'],
    types: ['cli'],
    reason: 'State changes are told through named callbacks; Node tells its own by events.',
  },
  'node:v8': { rooms: ['cli'], reason: 'The heap belongs to the process, and so to its program.' },
  'node:vm': { rooms: ['cli'], reason: 'Nothing that comes from outside is ever run as code.' },
  'node:stream': {
    rooms: [],
    types: ['cli'],
    reason: 'Output goes through our own bounded readers.',
  },
};

/** What must not be reached from somewhere, over however many imports of ours. Types do not count, they are gone by then. */
export interface Reach {
  /** Rooms that it holds for. */
  readonly from: readonly string[];
  readonly packages: readonly string[];
  readonly rooms: readonly string[];
  readonly reason: string;
  readonly advice: string;
}

export const REACHES: Readonly<Record<string, Reach>> = {
  'reach:core': {
    from: ['log', 'session', 'pool', 'catalog'],
    packages: [
      'node:child_process',
      'node:fs',
      'node:net',
      'node:http',
      'node:https',
      'node:sqlite',
      'kysely',
      'fastify',
      '@fastify/multipart',
      '@anthropic-ai/claude-agent-sdk',
    ],
    rooms: [...IMPLEMENTATIONS, 'http', 'simulator'],
    reason: 'The core reaches processes, disks, sockets and databases through contracts only.',
    advice: 'Put it behind a contract of src/contracts and let src/compose.ts pass it in.',
  },
  'reach:library': {
    from: ['index'],
    // `node:http` is reached: the tools of clients need it. It comes with Node, and with the first such tool.
    packages: [
      'fastify',
      '@fastify/multipart',
      'pino',
      '@prometheus-io/client',
      'commander',
      'yaml',
    ],
    rooms: ['http', 'server', 'config', 'cli', 'simulator'],
    reason: 'Whoever imports the library gets a pool, not a server: no HTTP framework is loaded.',
    advice: 'Import it as a type, or move what is needed to the left of both.',
  },
};
