import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { after } from '../../src/time/timers.ts';
import { BIN, ServerFixture } from '../support/server-fixture.ts';
import { sessionRecords, turnEnds } from '../support/session-events.ts';

/** Gives a program a terminal of its own; util-linux has it. */
const SCRIPT = '/usr/bin/script';
const CTRL_C = '\u0003';
const PATIENCE_MS = 20_000;

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

/** A running chat, and what it has written. */
class Chat {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  #shown = '';

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { env: { ...server.environment, TERM: 'dumb' } });
    this.#child.stdout.on('data', (chunk) => (this.#shown += String(chunk)));
    this.#child.stderr.on('data', (chunk) => (this.#shown += String(chunk)));
    this.#ended = once(this.#child, 'close');
    onTestFinished(() => void this.#child.kill('SIGKILL'));
  }

  static piped(session: string, ...flags: readonly string[]): Chat {
    return new Chat(process.execPath, [BIN, ...chatArguments(session), ...flags]);
  }

  static onTerminal(session: string): Chat {
    const line = [process.execPath, BIN, ...chatArguments(session)].join(' ');
    return new Chat(SCRIPT, ['--quiet', '--return', '--command', line, '/dev/null']);
  }

  get shown(): string {
    return this.#shown;
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** Waits until it has written a text, after what it had written when `from` was taken. */
  async until(text: string, from = 0): Promise<void> {
    let late = false;
    const timer = after(PATIENCE_MS, () => {
      late = true;
      this.#child.stdout.emit('data', '');
    });
    try {
      while (!this.#shown.slice(from).includes(text)) {
        if (late) throw new Error(`Not written: ${text}. Written: ${this.#shown}`);
        await Promise.race([once(this.#child.stdout, 'data'), this.#ended]);
      }
    } finally {
      timer.cancel();
    }
  }

  async exitCode(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }
}

function chatArguments(session: string): string[] {
  return ['chat', '--url', server.url, '--session', session];
}

async function endsOf(session: string): Promise<string[]> {
  return turnEnds(await sessionRecords(server.url, session));
}

describe('a chat whose prompts come through a pipe', () => {
  test('answers each line on the same session, and ends with the input', async () => {
    const chat = Chat.piped('piped');
    chat.type('My name is Ada.\nWho am I?\n');
    chat.endInput();
    expect(await chat.exitCode()).toBe(0);
    expect(chat.shown).toBe(
      'You said: "My name is Ada.". I was shown no earlier messages.\n' +
        'You said: "Who am I?". I was shown 2 earlier messages; your earlier prompt was: "My name is Ada.".\n',
    );
  });

  test('works in the folder that it names, whatever its letters, and says why it may not', async () => {
    const folder = join(projects, 'Größe 日本');
    await mkdir(folder);
    const chat = Chat.piped('in-a-folder', '--workspace', folder);
    chat.type('[[tool Bash {"command":"pwd"}]]\n');
    chat.endInput();
    expect(await chat.exitCode()).toBe(0);
    expect(chat.shown).toContain(folder);
    const refused = Chat.piped('elsewhere', '--workspace', '/etc');
    refused.type('hello\n');
    refused.endInput();
    expect(await refused.exitCode()).toBe(1);
    expect(refused.shown).toContain('The workspace "/etc" is not allowed');
  });

  test('interrupts the turn at SIGINT, goes on, and leaves at SIGINT between turns', async () => {
    const chat = Chat.piped('interrupted');
    chat.type('[[slow 50ms]] [[long 1000 words]]\n');
    await chat.until('A roundhouse');
    chat.interrupt();
    await chat.until('[interrupted]');
    chat.type('still there?\n');
    await chat.until('You said: "still there?"');
    await chat.until('.\n');
    chat.interrupt();
    expect(await chat.exitCode()).toBe(0);
    expect(await endsOf('interrupted')).toEqual(['turn_interrupted', 'completed']);
  });

  test('shows why a turn failed, goes on, and ends with 1', async () => {
    const chat = Chat.piped('failing');
    chat.type('[[error 400]]\nfine\n');
    chat.endInput();
    expect(await chat.exitCode()).toBe(1);
    expect(chat.shown).toContain('You said: "fine"');
  });
});

describe.runIf(existsSync(SCRIPT))('a chat on a terminal', () => {
  test('interrupts the turn at Ctrl-C and goes on; Ctrl-C at the empty prompt leaves', async () => {
    const chat = Chat.onTerminal('terminal');
    await chat.until('> ');
    chat.type('[[slow 50ms]] [[long 1000 words]]\r');
    await chat.until('A roundhouse');
    chat.type(CTRL_C);
    await chat.until('[interrupted]');
    let from = chat.shown.length;
    chat.type('still there?\r');
    await chat.until('You said: "still there?"', from);
    from = chat.shown.indexOf('You said: "still there?"');
    await chat.until('> ', from);
    chat.type(CTRL_C);
    expect(await chat.exitCode()).toBe(0);
    expect(chat.shown).toContain('To go on with it: --session terminal');
    expect(await endsOf('terminal')).toEqual(['turn_interrupted', 'completed']);
  });

  test('leaves at the second Ctrl-C of a turn, and the session stays', async () => {
    const chat = Chat.onTerminal('impatient');
    await chat.until('> ');
    chat.type('[[slow 50ms]] [[long 1000 words]]\r');
    await chat.until('A roundhouse');
    chat.type(`${CTRL_C}${CTRL_C}`);
    expect(await chat.exitCode()).toBe(0);
    await server.log.waitForEvent('session_turn_ended', { sessionId: 'impatient' });
    expect(await endsOf('impatient')).toEqual(['turn_interrupted']);
  });

  test('leaves at /exit', async () => {
    const chat = Chat.onTerminal('leaving');
    await chat.until('> ');
    chat.type('/exit\r');
    expect(await chat.exitCode()).toBe(0);
  });
});
