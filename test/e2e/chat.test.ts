import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { CTRL_C, HAS_TERMINALS, Program } from '../support/program.ts';
import { ServerFixture } from '../support/server-fixture.ts';
import { sessionRecords, turnEnds } from '../support/session-events.ts';

let simulator: Simulator;
let server: ServerFixture;
/** Where sessions may be told to work. */
let projects: string;

beforeAll(async () => {
  simulator = await startSimulator();
  projects = await realpath(await mkdtemp(join(tmpdir(), 'rh-projects-')));
  server = await ServerFixture.start({
    upstream: simulator,
    env: { ROUNDHOUSE_WORKSPACES_ALLOWED: projects },
  });
});

afterAll(async () => {
  await server?.end();
  await simulator?.close();
  await rm(projects, { recursive: true });
});

function piped(session: string, ...flags: readonly string[]): Promise<Program> {
  return Program.start([...chatArguments(session), ...flags]);
}

function onTerminal(session: string): Promise<Program> {
  return Program.onTerminal(chatArguments(session));
}

function chatArguments(session: string): string[] {
  return ['chat', '--url', server.url, '--session', session];
}

async function endsOf(session: string): Promise<string[]> {
  return turnEnds(await sessionRecords(server.url, session));
}

describe('a chat whose prompts come through a pipe', () => {
  test('answers each line on the same session, and ends with the input', async () => {
    const chat = await piped('piped');
    chat.type('My name is Ada.\nWho am I?\n');
    chat.endInput();
    expect(await chat.finish()).toMatchObject({ code: 0 });
    expect(chat.stdout).toBe(
      'You said: "My name is Ada.". I was shown no earlier messages.\n' +
        'You said: "Who am I?". I was shown 2 earlier messages; your earlier prompt was: "My name is Ada.".\n',
    );
  });

  test('works in the folder that it names, whatever its letters, and says why it may not', async () => {
    const folder = join(projects, 'Größe 日本');
    await mkdir(folder);
    const chat = await piped('in-a-folder', '--workspace', folder);
    chat.type('[[tool Bash {"command":"pwd"}]]\n');
    chat.endInput();
    expect(await chat.finish()).toMatchObject({ code: 0 });
    expect(chat.stdout).toContain(folder);
    const refused = await piped('elsewhere', '--workspace', '/etc');
    refused.type('hello\n');
    refused.endInput();
    expect(await refused.finish()).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain('The workspace "/etc" is not allowed');
  });

  test('interrupts the turn at SIGINT, goes on, and leaves at SIGINT between turns', async () => {
    const chat = await piped('interrupted');
    chat.type('[[slow 50ms]] [[long 1000 words]]\n');
    await chat.until('A roundhouse');
    chat.interrupt();
    await chat.until('[interrupted]');
    chat.type('still there?\n');
    await chat.until('You said: "still there?"');
    await chat.until('.\n');
    chat.interrupt();
    expect(await chat.finish()).toMatchObject({ code: 0 });
    expect(await endsOf('interrupted')).toEqual(['turn_interrupted', 'completed']);
  });

  test('shows why a turn failed, goes on, and ends with 1', async () => {
    const chat = await piped('failing');
    chat.type('[[error 400]]\nfine\n');
    chat.endInput();
    expect(await chat.finish()).toMatchObject({ code: 1 });
    expect(chat.stdout).toContain('You said: "fine"');
  });
});

describe.runIf(HAS_TERMINALS)('a chat on a terminal', () => {
  test('interrupts the turn at Ctrl-C and goes on; Ctrl-C at the empty prompt leaves', async () => {
    const chat = await onTerminal('terminal');
    await chat.until('> ');
    chat.type('[[slow 50ms]] [[long 1000 words]]\r');
    await chat.until('A roundhouse');
    chat.type(CTRL_C);
    await chat.until('[interrupted]');
    let from = chat.stdout.length;
    chat.type('still there?\r');
    await chat.until('You said: "still there?"', from);
    from = chat.stdout.indexOf('You said: "still there?"');
    await chat.until('> ', from);
    chat.type(CTRL_C);
    expect(await chat.finish()).toMatchObject({ code: 0 });
    expect(chat.stdout).toContain('To go on with it: --session terminal');
    expect(await endsOf('terminal')).toEqual(['turn_interrupted', 'completed']);
  });

  test('leaves at the second Ctrl-C of a turn, and the session stays', async () => {
    const chat = await onTerminal('impatient');
    await chat.until('> ');
    chat.type('[[slow 50ms]] [[long 1000 words]]\r');
    await chat.until('A roundhouse');
    chat.type(`${CTRL_C}${CTRL_C}`);
    expect(await chat.finish()).toMatchObject({ code: 0 });
    await server.log.waitForEvent('session_turn_ended', { sessionId: 'impatient' });
    expect(await endsOf('impatient')).toEqual(['turn_interrupted']);
  });

  test('leaves at /exit', async () => {
    const chat = await onTerminal('leaving');
    await chat.until('> ');
    chat.type('/exit\r');
    expect(await chat.finish()).toMatchObject({ code: 0 });
  });
});
