import { describe, expect, it } from 'vitest';

import { breachText, checkLayers, RULES, type Breach } from './check-layers.ts';
import { IMPLEMENTATIONS, PACKAGES, REACHES, ROOMS } from './layer-rules.ts';
import { readSources } from './read-sources.ts';
import { scanImports, type ScannedFile } from './scan-imports.ts';

/** Files put into, or over, the real ones, and the file that must be named. */
interface Planted {
  readonly files: Readonly<Record<string, string>>;
  readonly at: string;
}

function plant(at: string, source: string, more: Record<string, string> = {}): Planted {
  return { files: { [at]: source, ...more }, at };
}

/** A breach of every rule. A rule without one fails the first test. */
const PLANTED: Readonly<Record<string, Planted>> = {
  'known-room': plant('src/somewhere/new.ts', 'export const a = 1;'),
  implementations: plant(
    'src/http/planted.ts',
    "import { openSqliteStore } from '../store/sql/open-sqlite-store.ts';",
  ),
  'known-package': plant('src/pool/planted.ts', "import retry from 'p-retry';"),
  'plain-import': plant(
    'src/cli/planted.ts',
    'export const load = (name: string) => import(name);',
  ),
  'test-code': plant(
    'src/http/planted.ts',
    "import { logItems } from '../dialects/testing/log-items.ts';",
  ),
  'public-only': plant('examples/planted.ts', "import { compose } from '../src/compose.ts';"),
  'no-cycle': plant('src/session/planted-a.ts', "import { b } from './planted-b.ts';", {
    'src/session/planted-b.ts': "import { a } from './planted-a.ts';",
  }),
  'kebab-case': plant('src/pool/PlantedThing.ts', 'export const a = 1;'),
  'no-default-export': plant('src/pool/planted.ts', 'export default 1;'),
  'no-barrel': plant('src/pool/everything.ts', "export * from './slots.ts';"),
  'reach:core': plant('src/time/planted.ts', "import { readFileSync } from 'node:fs';", {
    'src/session/planted.ts': "import { a } from '../time/planted.ts';",
  }),
  'reach:library': plant('src/compose.ts', "import { createApp } from './http/app.ts';"),

  'room:time': plant('src/time/planted.ts', "import { RoundhouseError } from '../errors.ts';"),
  'room:errors': plant('src/errors.ts', "import { wallClockMs } from './time/clock.ts';"),
  'room:telemetry': plant(
    'src/telemetry/planted.ts',
    "import type { A } from '../events/record.ts';",
  ),
  'room:events': plant('src/events/planted.ts', "import type { A } from '../contracts/host.ts';"),
  'room:definitions': plant(
    'src/definitions/planted.ts',
    "import type { A } from '../events/record.ts';",
  ),
  'room:contracts': plant('src/contracts/planted.ts', "import type { A } from '../log/tail.ts';"),
  'room:log': plant('src/log/planted.ts', "import { a } from '../session/states.ts';"),
  'room:session': plant('src/session/planted.ts', "import type { A } from '../pool/options.ts';"),
  'room:pool': plant('src/pool/planted.ts', "import type { A } from '../http/app.ts';"),
  'room:catalog': plant(
    'src/catalog/planted.ts',
    "import type { A } from '../dialects/managed-agents/agents.ts';",
  ),
  'room:dialects': plant(
    'src/dialects/planted.ts',
    "import type { A } from '../contracts/host.ts';",
  ),
  'room:http': plant('src/http/planted.ts', "import type { A } from '../compose.ts';"),
  'room:config': plant('src/config/planted.ts', "import { a } from '../pool/session-pool.ts';"),
  'room:agent': plant('src/agent/planted.ts', "import { a } from '../session/states.ts';"),
  'room:agent/claude-code': plant(
    'src/agent/claude-code/planted.ts',
    "import { a } from '../../session/states.ts';",
  ),
  'room:agent/scripted': plant(
    'src/agent/scripted/planted.ts',
    "import type { A } from '../../log/tail.ts';",
  ),
  'room:store': plant('src/store/planted.ts', "import { a } from '../log/tail.ts';"),
  'room:store/sql': plant('src/store/sql/planted.ts', "import { a } from '../../log/tail.ts';"),
  'room:store/files': plant('src/store/files/planted.ts', "import { a } from '../../log/tail.ts';"),
  'room:store/memory': plant(
    'src/store/memory/planted.ts',
    "import { a } from '../../log/tail.ts';",
  ),
  'room:host': plant('src/host/planted.ts', "import { a } from '../pool/slots.ts';"),
  'room:tool-endpoint': plant(
    'src/tool-endpoint/planted.ts',
    "import { a } from '../pool/slots.ts';",
  ),
  'room:simulator': plant('src/simulator/planted.ts', "import { a } from '../errors.ts';"),
  'room:compose': plant(
    'src/compose.ts',
    "import { a } from './agent/scripted/scripted-driver.ts';",
  ),
  'room:open-session-pool': plant('src/open-session-pool.ts', "import { a } from './server.ts';"),
  'room:index': plant('src/index.ts', "export { SessionPool } from './pool/session-pool.ts';"),
  'room:pool-gauges': plant('src/pool-gauges.ts', "import { compose } from './compose.ts';"),
  'room:server': plant(
    'src/server.ts',
    "import { startSimulator } from './simulator/simulator.ts';",
  ),
  'room:cli': plant('src/cli/planted.ts', "import { startServer } from '../server.ts';"),

  'package:@anthropic-ai/claude-agent-sdk': plant(
    'src/session/planted.ts',
    "import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';",
  ),
  'package:@anthropic-ai/sdk': plant('src/http/planted.ts', "import A from '@anthropic-ai/sdk';"),
  'package:@modelcontextprotocol/sdk': plant(
    'src/agent/claude-code/planted.ts',
    "import { Client } from '@modelcontextprotocol/sdk/client/index.js';",
  ),
  'package:@prometheus-io/client': plant(
    'src/http/planted.ts',
    "import { Counter } from '@prometheus-io/client';",
  ),
  'package:pino': plant('src/server.ts', "import { pino } from 'pino';"),
  'package:commander': plant('src/config/planted.ts', "import { Command } from 'commander';"),
  'package:@bomb.sh/tab': plant('src/config/planted.ts', "import tab from '@bomb.sh/tab';"),
  'package:yaml': plant('src/http/planted.ts', "import { parse } from 'yaml';"),
  'package:zod': plant('src/store/sql/planted.ts', "import { z } from 'zod';"),
  'package:@fastify/multipart': plant(
    'src/server.ts',
    "import multipart from '@fastify/multipart';",
  ),
  'package:fastify': plant('src/server.ts', "import { fastify } from 'fastify';"),
  'package:kysely': plant('src/store/memory/planted.ts', "import { sql } from 'kysely/helpers';"),
  'package:node:sqlite': plant(
    'src/store/memory/planted.ts',
    "import { DatabaseSync } from 'node:sqlite';",
  ),
  'package:node:child_process': plant(
    'src/cli/planted.ts',
    "import { a } from 'node:child_process';",
  ),
  'package:node:fs': plant('src/http/planted.ts', "import { readFile } from 'node:fs/promises';"),
  'package:node:http': plant('src/http/planted.ts', "import { createServer } from 'node:http';"),
  'package:node:net': plant('src/host/planted.ts', "import { connect } from 'node:net';"),
  'package:node:module': plant(
    'src/cli/planted.ts',
    "import { createRequire } from 'node:module';",
  ),
  'package:node:os': plant('src/pool/planted.ts', "import { cpus } from 'node:os';"),
  'package:node:path': plant('src/session/planted.ts', "import { join } from 'node:path';"),
  'package:node:crypto': plant('src/pool/planted.ts', "import { randomUUID } from 'node:crypto';"),
  'package:node:readline': plant('src/server.ts', "import { a } from 'node:readline/promises';"),
  'package:node:util': plant('src/pool/planted.ts', "import { inspect } from 'node:util';"),
  'package:node:events': plant(
    'src/pool/planted.ts',
    "import { EventEmitter } from 'node:events';",
  ),
  'package:node:v8': plant('src/pool/planted.ts', "import v8 from 'node:v8';"),
  'package:node:vm': plant('src/http/planted.ts', "import { runInNewContext } from 'node:vm';"),
  'package:node:stream': plant('src/http/planted.ts', "import { Readable } from 'node:stream';"),
};

const real = await readSources(['src', 'scripts', 'test', 'bench', 'chaos', 'examples']);
const scanned = new Map<string, ScannedFile>();

/** Reads each text once: the real ones are checked again for every rule. */
function scanOnce(source: string): ScannedFile {
  const known = scanned.get(source) ?? scanImports(source);
  scanned.set(source, known);
  return known;
}

function checkWith(files: Readonly<Record<string, string>>): Breach[] {
  return checkLayers(new Map([...real, ...Object.entries(files)]), scanOnce);
}

function rulesAt(breaches: readonly Breach[], at: string): string[] {
  return breaches.filter(({ path }) => path === at).map(({ rule }) => rule);
}

describe('the layer check', () => {
  it('has a planted breach of every rule, and none of a rule that is gone', () => {
    expect(Object.keys(PLANTED).toSorted()).toEqual(Object.keys(RULES).toSorted());
  });

  it.each(Object.entries(PLANTED))('catches a breach of %s', (rule, { files, at }) => {
    const found = checkWith(files).find((breach) => breach.rule === rule && breach.path === at);
    expect(found).toMatchObject({
      line: 1,
      reason: RULES[rule]?.reason,
      advice: RULES[rule]?.advice,
    });
  });

  it('finds nothing in the sources as they are', () => {
    expect(checkLayers(real).map(breachText)).toEqual([]);
  });

  it('tells the place, what it is, the rule, the reason and what to do', () => {
    const [found] = checkWith({ 'src/log/planted.ts': "\nimport { a } from '../http/app.ts';" });
    expect(found && breachText(found)).toBe(
      `src/log/planted.ts:2  log imports src/http/app.ts (http).
  rule  room:log
  why   The log serves sessions and does not know what they do.
  do    It may import time, errors, telemetry, events, definitions, contracts: pass in what else it needs, or move what both need to the left of both.
`,
    );
  });

  it('lets types through where only the program matters, and loading where it waits', () => {
    const files = {
      'src/simulator/planted.ts': 'export const a = 1;',
      'src/server.ts':
        "import type { A } from './simulator/planted.ts';\nimport('./simulator/planted.ts');",
      'src/index.ts': "export type { SessionPool } from './pool/session-pool.ts';",
      'src/events/planted.ts': "import type { A } from '@anthropic-ai/sdk/resources';",
    };
    expect(checkWith(files)).toEqual([]);
  });

  it('sees a framework behind several files of ours, also where it is loaded late', () => {
    const files = {
      'src/time/planted.ts': "export const a = () => import('./deeper.ts');",
      'src/time/deeper.ts': "\nimport { createServer } from 'node:http';",
      'src/log/planted.ts': "import { a } from '../time/planted.ts';",
    };
    const found = checkWith(files).find(({ rule }) => rule === 'reach:core');
    expect(found).toMatchObject({
      path: 'src/time/deeper.ts',
      line: 2,
      what: 'src/log/planted.ts -> src/time/planted.ts -> src/time/deeper.ts -> node:http',
    });
  });

  it('does not count types as a way, nor as part of a circle', () => {
    const files = {
      'src/time/planted.ts': "import type { A } from 'node:fs';",
      'src/session/planted-a.ts': "import type { B } from './planted-b.ts';",
      'src/session/planted-b.ts':
        "import { a } from './planted-a.ts'; import '../time/planted.ts';",
    };
    expect(rulesAt(checkWith(files), 'src/time/planted.ts')).toEqual(['package:node:fs']);
    expect(checkWith(files).map(({ rule }) => rule)).not.toContain('no-cycle');
  });

  it('sees an import with the wrong ending, which Node could not find either', () => {
    const found = checkWith({ 'src/pool/planted.ts': "import { Slots } from './slots.js';" });
    expect(rulesAt(found, 'src/pool/planted.ts')).toEqual(['plain-import']);
  });

  it('has rules that name rooms which exist', () => {
    const rooms = Object.keys(ROOMS);
    const named = [
      ...Object.values(ROOMS).flatMap(({ imports, lazily = [], types = [] }) => [
        ...imports,
        ...lazily,
        ...types,
      ]),
      ...Object.values(PACKAGES).flatMap(({ rooms: users, types = [] }) => [...users, ...types]),
      ...Object.values(REACHES).flatMap((reach) => [...reach.from, ...reach.rooms]),
      ...IMPLEMENTATIONS,
    ];
    for (const name of named) {
      expect(name.startsWith('src/') ? [...real.keys()] : rooms).toContain(name);
    }
  });
});
