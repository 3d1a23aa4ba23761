import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MODULES = join(ROOT, 'node_modules');
const TSC = join(MODULES, 'typescript', 'bin', 'tsc');
const LIMIT_MS = 120_000;

let folder: string;
/** A project of somebody who has installed the package. */
let project: string;
let installed: string;

/** Packs as `npm publish` would, and puts the result where `npm install` would; dependencies are those of this repository. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roundhouse-package-'));
  project = join(folder, 'project');
  installed = join(project, 'node_modules', 'roundhouse');
  await mkdir(installed, { recursive: true });
  await run('npm', ['pack', '--silent', '--pack-destination', folder], ROOT);
  const archive = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '';
  await run(
    'tar',
    ['-xzf', join(folder, archive), '-C', installed, '--strip-components=1'],
    folder,
  );
  await linkDependencies();
  await writeFile(join(project, 'package.json'), '{"type":"module","private":true}');
}, LIMIT_MS);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function run(
  file: string,
  args: readonly string[],
  cwd: string,
): Promise<{ stdout: string; stderr: string }> {
  const path = [join(MODULES, '.bin'), process.env['PATH'] ?? ''].join(delimiter);
  const env = {
    PATH: path,
    HOME: folder,
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
  return execute(file, args, { cwd, env, timeout: LIMIT_MS });
}

/** Only what the package itself depends on is put beside it, so that a missing dependency shows. */
async function linkDependencies(): Promise<void> {
  const manifest: unknown = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  const declared = Object(manifest).dependencies;
  for (const name of [...Object.keys(declared), '@types/node', 'undici-types']) {
    const place = join(project, 'node_modules', name);
    await mkdir(join(place, '..'), { recursive: true });
    await symlink(join(MODULES, name), place);
  }
}

async function evaluate(source: string): Promise<unknown> {
  const file = join(project, 'evaluate.js');
  await writeFile(file, source);
  const { stdout } = await run(process.execPath, [file], project);
  return JSON.parse(stdout);
}

describe('the package', () => {
  it('holds the program, what was built, the documentation and the licence, and no source or test', async () => {
    const names = await readdir(installed);
    expect(names).toEqual(
      expect.arrayContaining(['bin', 'dist', 'docs', 'LICENSE', 'package.json']),
    );
    expect(names).not.toEqual(expect.arrayContaining(['src']));
    const files = await readdir(installed, { recursive: true });
    expect(files.filter((name) => /\.test\.|\/testing\/|(?<!\.d)\.ts$|\.map$/.test(name))).toEqual(
      [],
    );
  });

  it('is imported from JavaScript by its three names', async () => {
    const source = `
      const names = async (name) => Object.keys(await import(name));
      const found = [await names('roundhouse'), await names('roundhouse/server'), await names('roundhouse/simulator')];
      console.log(JSON.stringify(found));`;
    expect(await evaluate(source)).toEqual([
      expect.arrayContaining(['openSessionPool', 'RoundhouseError']),
      expect.arrayContaining(['startServer']),
      expect.arrayContaining(['startSimulator']),
    ]);
  });

  it('opens a pool and closes it', async () => {
    const source = `
      import { openSessionPool } from 'roundhouse';
      import { startSimulator } from 'roundhouse/simulator';
      const simulator = await startSimulator();
      const library = await openSessionPool({
        dataDir: ${JSON.stringify(join(folder, 'data'))},
        credentials: { ANTHROPIC_BASE_URL: simulator.url, ANTHROPIC_API_KEY: 'simulator' },
      });
      const { residentSessions } = library.pool.stats();
      await library.close();
      await simulator.close();
      console.log(JSON.stringify({ residentSessions }));`;
    expect(await evaluate(source)).toEqual({ residentSessions: 0 });
  });

  it('loads no HTTP framework with the library', async () => {
    const source = `
      import { registerHooks } from 'node:module';
      const seen = [];
      registerHooks({ resolve(name, context, next) { seen.push(name); return next(name, context); } });
      await import('roundhouse');
      console.log(JSON.stringify(seen));`;
    const seen = await evaluate(source);
    expect(seen).toEqual(expect.arrayContaining(['roundhouse', 'kysely']));
    expect(seen).not.toContain('fastify');
    expect(seen).not.toContain('node:http');
  });

  it('runs as a program', async () => {
    const bin = join(installed, 'bin', 'roundhouse.js');
    const version = await run(process.execPath, [bin, '--version'], project);
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const config = await run(process.execPath, [bin, 'config', '--port', '9000'], project);
    expect(config.stdout).toMatch(/port: 9000 +# --port/);
    const help = await run(process.execPath, [bin, 'chat', '--help'], project);
    expect(help.stdout).toContain('--session');
  });

  it(
    'has types that hold in a strict project',
    async () => {
      await writeFile(
        join(project, 'consumer.ts'),
        `import { openSessionPool, RoundhouseError, type ErrorCode, type StreamHandle, type TurnEnd } from 'roundhouse';
import { startServer, type RunningServer } from 'roundhouse/server';
import { startSimulator, type Simulator } from 'roundhouse/simulator';

export async function talk(simulator: Simulator): Promise<TurnEnd> {
  const library = await openSessionPool({ dataDir: 'data', credentials: { ANTHROPIC_BASE_URL: simulator.url }, pool: { maxProcesses: 2 } });
  const session = await library.pool.getSessionClient('a', { agent: { model: 'm' } });
  const turn: StreamHandle = await session.prompt([{ type: 'text', text: 'hello' }], { onBusy: 'reject' });
  for await (const { preview, record } of turn) {
    const text: string | undefined = preview?.kind === 'text_delta' ? preview.text : record?.at;
    console.log(text);
  }
  await library.close(1_000);
  return turn.ended;
}
export const code = (error: unknown): ErrorCode | undefined => error instanceof RoundhouseError ? error.code : undefined;
export const servers: ((...given: Parameters<typeof startServer>) => Promise<RunningServer>)[] = [startServer];
export const simulators = [startSimulator];
// @ts-expect-error: types that were lost would be any, and then this would pass
openSessionPool({ dataDir: 1, credentials: {} });
`,
      );
      await writeFile(
        join(project, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: {
            target: 'es2024',
            module: 'nodenext',
            strict: true,
            exactOptionalPropertyTypes: true,
            noUncheckedIndexedAccess: true,
            types: ['node'],
            noEmit: true,
            // our declarations are part of the package
            skipLibCheck: false,
          },
          files: ['consumer.ts'],
        }),
      );
      const checked = await run(process.execPath, [TSC, '-p', '.'], project).catch(
        (error: unknown) => Object(error),
      );
      expect(checked.stdout).toBe('');
    },
    LIMIT_MS,
  );
});
