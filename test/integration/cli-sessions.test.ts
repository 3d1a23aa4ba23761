import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { catalogServer, type CatalogServer } from '../support/catalog-server.ts';
import { runHere } from '../support/run-here.ts';

let server: CatalogServer;
let agent: string;
let environment: string;

beforeEach(async () => {
  server = await catalogServer();
  agent = (await server.alice.beta.agents.create({ name: 'Reviewer', model: 'claude-opus-5-5' }))
    .id;
  environment = (await server.alice.beta.environments.create({ name: 'here' })).id;
});

function run(args: readonly string[], input = '') {
  const env = { ROUNDHOUSE_URL: server.url, ROUNDHOUSE_KEY: 'key-a' };
  return runHere(['sessions', ...args], { env, input });
}

async function idOf(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(args, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trim();
}

describe('roundhouse sessions', () => {
  it('makes a session of flags, shows and lists it, archives it and deletes it', async () => {
    const flags = ['--title', 'Notes', '--budget', '2.50', '--metadata', 'team=a'];
    const of = ['--agent', `${agent}@1`, '--environment', environment];
    const id = await idOf(['create', ...of, ...flags]);
    expect(await server.alice.beta.sessions.retrieve(id)).toMatchObject({
      title: 'Notes',
      metadata: { team: 'a' },
      agent: { id: agent, version: 1 },
      environment_id: environment,
      budget: { max_list_cost: { amount: '250', currency: 'USD' } },
    });
    expect((await run(['show', id])).stdout).toContain('title: Notes\n');
    const { stdout } = await run(['list']);
    expect(stdout).toMatch(/^ID +TITLE +AGENT +CREATED +COST +STATUS\n/);
    expect(stdout).toMatch(new RegExp(`\n${id}  Notes  Reviewer  .*  \\$0\\.00  idle\n$`));
    expect(await idOf(['archive', id])).toBe(id);
    expect((await run(['list', '--archived'])).stdout).toMatch(/archived\n$/);
    const unsure = await run(['delete', id]);
    expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') });
    expect(await idOf(['delete', id, '--yes'])).toBe(id);
    expect((await run(['show', id])).code).toBe(1);
  });

  it('makes a session of a file, with an agent of its own making', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'roundhouse-cli-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'session.yaml');
    const text = `agent: { type: agent_with_overrides, id: ${agent}, system: Short. }\nenvironment_id: ${environment}\ntitle: From a file\n`;
    await writeFile(file, text);
    const id = await idOf(['create', '--file', file, '--title', 'Of a flag']);
    expect(await server.alice.beta.sessions.retrieve(id)).toMatchObject({
      title: 'Of a flag',
      agent: { id: agent, system: 'Short.' },
    });
  });

  it('lists those of an agent and of a status', async () => {
    const other = (await server.alice.beta.agents.create({ name: 'Other', model: 'sonnet' })).id;
    const mine = await idOf(['create', '--agent', agent, '--environment', environment]);
    await idOf(['create', '--agent', other, '--environment', environment]);
    const listed = await run(['list', '--agent', agent, '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ data: [{ id: mine }], next_page: null });
    const running = await run(['list', '--status', 'running', '--json']);
    expect(JSON.parse(running.stdout)).toMatchObject({ data: [] });
    expect((await run(['list', '--status', 'asleep'])).code).toBe(2);
  });

  it('says what is missing or impossible, and ends with 2', async () => {
    const cases: [string[], RegExp][] = [
      [['create'], /^Expected --agent, or the field agent in --file; got neither\.\n$/],
      [['create', '--agent', agent], /^Expected --environment, or the field environment_id/],
      [
        ['create', '--agent', agent, '--budget', '1e3'],
        /^--budget: expected dollars such as 2\.50/,
      ],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
    }
  });
});
