import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalogServer, type CatalogServer } from '../support/catalog-server.ts';
import { runProgram, type Outcome } from '../support/program.ts';
import { runHere } from '../support/run-here.ts';

let server: CatalogServer;
let folder: string;

beforeEach(async () => {
  server = await catalogServer({ folderAllowed: (_tenant, path) => path === folder });
  folder = await mkdtemp(join(tmpdir(), 'roundhouse-cli-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Runs a command line with the key of Alice in the environment. */
function run(args: readonly string[], input = '', env: Record<string, string> = {}) {
  return runHere(args, {
    env: { ROUNDHOUSE_URL: server.url, ROUNDHOUSE_KEY: 'key-a', ...env },
    input,
  });
}

function idOf({ code, stdout, stderr }: Outcome): string {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trim();
}

describe('roundhouse agents', () => {
  it('makes an agent of flags, shows it, lists it in a table and archives it', async () => {
    const flags = ['--system', 'You review.', '--tools', 'read,bash', '--ask', 'bash,write'];
    const made = ['create', '--name', 'Reviewer', '--model', 'sonnet', '--metadata', 'team=a=b'];
    const id = idOf(await run(['agents', ...made, ...flags]));
    expect(await server.alice.beta.agents.retrieve(id)).toMatchObject({
      name: 'Reviewer',
      system: 'You review.',
      model: { id: 'sonnet' },
      metadata: { team: 'a=b' },
      tools: [
        {
          default_config: { enabled: false },
          configs: [
            { name: 'read', permission_policy: { type: 'always_allow' } },
            { name: 'bash', permission_policy: { type: 'always_ask' } },
            { name: 'write', permission_policy: { type: 'always_ask' } },
          ],
        },
      ],
    });
    const shown = await run(['agents', 'show', id]);
    expect(shown.stdout).toContain('name: Reviewer\n');
    const list = await run(['agents', 'list']);
    const day = new Date().toISOString().slice(0, 10);
    expect(list.stdout).toMatch(/^ID +NAME +MODEL +VERSION +CREATED +STATE\n/);
    expect(list.stdout).toMatch(
      new RegExp(`\n${id}  Reviewer  sonnet  1 +${day} \\d\\d:\\d\\d  active\n$`),
    );
    expect(idOf(await run(['agents', 'archive', id]))).toBe(id);
    expect((await run(['agents', 'list'])).stdout).toBe('');
    expect((await run(['agents', 'list', '--archived'])).stdout).toContain('archived');
  });

  it('makes an agent of a file in YAML, of JSON on stdin, and lets flags beat both', async () => {
    const file = join(folder, 'agent.yaml');
    const text = 'name: From a file\nmodel: { id: sonnet, effort: high }\nmetadata: { a: "1" }\n';
    await writeFile(file, text);
    const args = ['agents', 'create', '--file', file, '--metadata', 'b=2'];
    expect(await server.alice.beta.agents.retrieve(idOf(await run(args)))).toMatchObject({
      name: 'From a file',
      model: { id: 'sonnet', effort: { type: 'high' } },
      metadata: { a: '1', b: '2' },
    });
    const json = JSON.stringify({ name: 'Of JSON', model: 'sonnet', system: null });
    const piped = ['agents', 'create', '--file', '-', '--name', 'Of a flag', '--json'];
    expect(JSON.parse((await run(piped, json)).stdout)).toMatchObject({
      type: 'agent',
      name: 'Of a flag',
    });
  });

  it('shows an agent as it was at a version', async () => {
    const { id } = await server.alice.beta.agents.create({ name: 'Before', model: 'sonnet' });
    await server.alice.beta.agents.update(id, { name: 'After' });
    const then = await run(['agents', 'show', id, '--version', '1', '--json']);
    expect(JSON.parse(then.stdout)).toMatchObject({ name: 'Before', version: 1 });
    expect((await run(['agents', 'show', id])).stdout).toContain('name: After');
  });

  it('lists as many as are asked for, says how to go on, and goes on', async () => {
    for (let number = 1; number <= 5; number += 1) {
      await server.alice.beta.agents.create({ name: `name-${number}`, model: 'sonnet' });
    }
    const first = await run(['agents', 'list', '--limit', '2']);
    expect(first.stdout.match(/name-\d/g)).toEqual(['name-5', 'name-4']);
    const page = /--page (\S+)/.exec(first.stderr)?.[1] ?? '';
    const next = await run(['agents', 'list', '--limit', '2', '--page', page, '--json']);
    expect(JSON.parse(next.stdout)).toMatchObject({
      data: [{ name: 'name-3' }, { name: 'name-2' }],
    });
    expect(next.stderr).toBe('');
    const all = await run(['agents', 'list', '--all', '--json']);
    expect(JSON.parse(all.stdout)).toMatchObject({ data: { length: 5 }, next_page: null });
  });

  it('writes no colour and no control character of a name into a pipe', async () => {
    const name = 'red \u001b[31mtext\u0007\nsecond line';
    await server.alice.beta.agents.create({ name, model: 'sonnet' });
    for (const command of [['list'], ['list', '--json']]) {
      const { stdout, stderr } = await run(['agents', ...command], '', { TERM: 'xterm-256color' });
      expect(stdout).toContain('text');
      // oxlint-disable-next-line no-control-regex
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    }
  });
});

describe('roundhouse environments', () => {
  it('makes one of flags, with a secret of the environment that nothing shows, and deletes it', async () => {
    const flags = ['--workspace', folder, '--variable', 'MODE=a=b', '--secret', 'TOKEN'];
    const made = ['environments', 'create', '--name', 'project', ...flags, '--json'];
    const { code, stdout, stderr } = await run(made, '', { TOKEN: 's3cret' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const environment: unknown = JSON.parse(stdout);
    expect(environment).toMatchObject({
      name: 'project',
      roundhouse: {
        workspace: { type: 'folder', path: folder },
        variables: { MODE: { value: 'a=b' }, TOKEN: { secret: true } },
      },
    });
    expect(stdout).not.toContain('s3cret');
    const { id } = Object(environment);
    const list = await run(['environments', 'list']);
    expect(list.stdout).toMatch(new RegExp(`\n${id}  project .* active\n$`));
    expect((await run(['environments', 'show', id])).stdout).toContain('name: project');
    expect(idOf(await run(['environments', 'archive', id]))).toBe(id);
    const unsure = await run(['environments', 'delete', id]);
    expect(unsure).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--yes') });
    expect(idOf(await run(['environments', 'delete', id, '--yes']))).toBe(id);
    expect(await run(['environments', 'show', id])).toMatchObject({ code: 1, stdout: '' });
  });

  it('makes one with a clone and limits, of flags over a file', async () => {
    const file = join(folder, 'environment.yaml');
    await writeFile(file, 'roundhouse: { limits: { turn_ms: 5000, tool_ms: 2000 } }\n');
    const flags = ['--clone', folder, '--ref', 'main', '--limit', 'turn_ms=6000'];
    const create = ['environments', 'create', '--name', 'x', '--json'];
    const made = await run([...create, '--file', file, ...flags]);
    expect(JSON.parse(made.stdout)).toMatchObject({
      roundhouse: {
        workspace: { type: 'git_clone', path: folder, ref: 'main' },
        limits: { turn_ms: 6_000, tool_ms: 2_000 },
      },
    });
    const wrong = await run([...create, '--limit', 'turn_ms=soon']);
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('roundhouse.limits.turn_ms'),
    });
    for (const confused of [
      ['--ref', 'main'],
      ['--clone', '/a', '--workspace', '/b'],
    ]) {
      expect(await run([...create, ...confused])).toMatchObject({ code: 2, stdout: '' });
    }
  });

  it('takes a secret from nowhere but the environment', async () => {
    const args = ['environments', 'create', '--name', 'x', '--secret', 'NOT_THERE'];
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toBe(
      '--secret NOT_THERE: expected a variable of this environment; it is not set.\n',
    );
  });
});

describe('a command that talks with a server', () => {
  it('says in one sentence what is wrong with its flags, and ends with 2', async () => {
    const cases: [string[], RegExp][] = [
      [
        ['agents', 'create', '--model', 'sonnet'],
        /^Expected --name, or the field name in --file; got neither\.\n$/,
      ],
      [
        ['agents', 'create', '--name', 'x', '--model', 'sonnet', '--tools', 'reed'],
        /^--tools: expected all, none, or some of bash,read,.* got "reed"\.\n$/,
      ],
      [
        ['agents', 'create', '--name', 'x', '--metadata', 'a'],
        /^--metadata: expected name=value, got "a"\.\n$/,
      ],
      [
        ['agents', 'create', '--file', 'nowhere.yaml'],
        /^--file: nowhere\.yaml can't be read \(ENOENT\)\.\n$/,
      ],
      [['agents', 'list', '--limit', '0'], /Expected a whole number above 0/],
      [['agents', 'list', '--url', 'localhost:1'], /^--url: expected a URL such as/],
      [['agents', 'show'], /missing required argument 'id'/],
      [['agents', 'lst'], /list/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stdout }, args.join(' ')).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
    }
    const file = await run(['agents', 'create', '--file', '-'], 'name: [1\nb: 2');
    expect(file).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^stdin: .* line 2.*\n$/),
    });
  });

  it('shows what the server says, and ends with 1', async () => {
    const unknown = await run(['agents', 'show', 'agent_nobody']);
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/^[^\n]*agent_nobody[^\n]*\n$/);
    const refused = await run(['agents', 'create', '--name', 'x', '--model', 'gone']);
    expect(refused.stderr).toContain('gone');
    const nobody = await run(['agents', 'list', '--url', 'http://127.0.0.1:9']);
    expect(nobody).toMatchObject({ code: 1, stdout: '' });
    expect(nobody.stderr).toMatch(/^No server answers at http:\/\/127\.0\.0\.1:9: start one/);
  });

  it('talks with the server that the configuration describes where none is named', async () => {
    const { port } = new URL(server.url);
    const config = join(folder, 'c.yaml');
    await writeFile(config, `server:\n  port: ${port}\n`);
    const env = { ROUNDHOUSE_CONFIG: config, ROUNDHOUSE_KEY: 'key-a' };
    const found = await runHere(['agents', 'list', '--json'], { env });
    expect(found).toMatchObject({ code: 0, stderr: '' });
  });

  it('never shows the key, however it fails', async () => {
    const secret = 'rh_0123456789012345678901234567890123456789abc';
    const env = { ROUNDHOUSE_KEY: secret, ANTHROPIC_LOG: 'debug' };
    const lines = [
      ['agents', 'list'],
      ['agents', 'list', '--json'],
      ['agents', 'list', '--key', `${secret}\nx`],
      ['agents', 'list', '--key', `${secret}ö`],
      ['agents', 'list', '--url', `http://u:${secret}@127.0.0.1:9`],
      ['agents', 'list', '--url', 'http://127.0.0.1:9'],
      ['agents', 'list', `--kye=${secret}`],
      ['agents', secret],
      ['agents', 'list', secret],
      ['agents', 'show', secret],
      ['chat', '--url', server.url],
      ['chat', '--key', `${secret}\n`],
    ];
    for (const line of lines) {
      const { code, stdout, stderr } = await run(line, 'hello\n', env);
      expect(code, line.join(' ')).not.toBe(0);
      expect(stdout + stderr).not.toContain(secret);
      expect(stdout).toBe('');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });
});

describe('the program in a process of its own', () => {
  it('does the same under an environment made from nothing, and keeps the log of the client out of it', async () => {
    const env = { ROUNDHOUSE_URL: server.url, ROUNDHOUSE_KEY: 'key-a', ANTHROPIC_LOG: 'debug' };
    await writeFile(join(folder, 'agent.yaml'), 'name: Of a process\nmodel: sonnet\n');
    const create = ['agents', 'create', '--file', 'agent.yaml'];
    const id = idOf(await runProgram(create, { env, cwd: folder }));
    const { stdout, stderr, code } = await runProgram(['agents', 'show', id, '--json'], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ name: 'Of a process' });
    const usage = await runProgram(['environments', 'delete', 'env_x'], { env });
    expect(usage).toMatchObject({ code: 2, stdout: '' });
  });
});
