import { existsSync, readFileSync } from 'node:fs';
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import {
  answerIn,
  confirmation,
  keptEvents,
  stopOf,
  toolset,
  untilIdle,
} from '../support/agent-sessions.ts';
import { officialClient } from '../support/official-client.ts';
import { CTRL_C, CTRL_D, ENTER, HAS_TERMINALS, Program, type Outcome } from '../support/program.ts';
import { ServerFixture } from '../support/server-fixture.ts';

/** `roundhouse chat` on a terminal, with a real agent whose Write waits for leave. */

const QUESTION = 'Allow it?';

let server: ServerFixture;
let client: Anthropic;
let agent: string;

beforeAll(async () => {
  server = await ServerFixture.start();
  client = officialClient(server.url);
  const { id } = await client.beta.agents.create({
    name: 'A',
    model: 'sonnet',
    tools: toolset('write') ?? [],
  });
  agent = id;
});

afterAll(async () => {
  await server?.end();
});

/** A person who talks with a new session. */
class Chat {
  readonly program: Program;
  readonly session: string;
  #seen = 0;

  private constructor(program: Program, session: string) {
    this.program = program;
    this.session = session;
  }

  static async begin(...flags: readonly string[]): Promise<Chat> {
    const args = ['chat', '--url', server.url, ...flags];
    const program = await Program.onTerminal(args);
    await program.until('Session sesn_');
    const [session = ''] = /sesn_\w+/.exec(program.stdout) ?? [];
    return new Chat(program, session);
  }

  /** Waits for a text behind what was waited for before. */
  async until(text: string): Promise<void> {
    await this.program.until(text, this.#seen);
    this.#seen = this.program.stdout.indexOf(text, this.#seen) + text.length;
  }

  /** Types a line at the prompt. */
  async say(line: string): Promise<void> {
    await this.until('> ');
    this.program.type(`${line}${ENTER}`);
  }

  answer(line: string): void {
    this.program.type(`${line}${ENTER}`);
  }

  /** Asks for a file, and waits until the person is asked. Where the file would be. */
  async wantsToWrite(name: string): Promise<string> {
    const path = server.inWorkspace(this.session, name);
    const input = JSON.stringify({ file_path: path, content: `the ${name}` });
    await this.say(`[[tool Write ${input}]]`);
    await this.until('The agent wants to use write:');
    await this.until(`file_path: ${path}`);
    await this.until(`content: the ${name}`);
    await this.until(QUESTION);
    return path;
  }

  async leave(): Promise<Outcome> {
    await this.say('/exit');
    return this.program.finish();
  }
}

describe.runIf(HAS_TERMINALS)('a chat on a terminal whose agent asks before it writes', () => {
  let chat: Chat;

  beforeEach(async () => {
    chat = await Chat.begin('--agent', agent);
  });

  test('shows the call, writes when it may, and tells the agent why when it may not', async () => {
    const first = await chat.wantsToWrite('first');
    expect(existsSync(first)).toBe(false);
    chat.answer('y');
    await chat.until('File created successfully');
    expect(readFileSync(first, 'utf8')).toBe('the first');

    const second = await chat.wantsToWrite('second');
    chat.answer('n, the moon is full');
    await chat.until('Write failed');
    expect(await chat.leave()).toMatchObject({ code: 0 });
    expect(existsSync(second)).toBe(false);
    const events = await keptEvents(client, chat.session);
    // The simulated model says what it was shown.
    expect(answerIn(events)).toContain('the moon is full');
    expect(stopOf(events).type).toBe('end_turn');
  });

  test('ends the turn at Ctrl-C in the question, writes nothing, and goes on', async () => {
    const file = await chat.wantsToWrite('file');
    chat.program.type(CTRL_C);
    await chat.until('[interrupted]');
    await chat.say('still there?');
    await chat.until('You said: "still there?"');
    expect(await chat.leave()).toMatchObject({ code: 0 });
    expect(existsSync(file)).toBe(false);
    expect(stopOf(await keptEvents(client, chat.session)).type).toBe('end_turn');
  });

  test('leaves the call waiting when its terminal goes away, and another chat asks again', async () => {
    const file = await chat.wantsToWrite('file');
    await chat.program.hangUp();
    expect(stopOf(await keptEvents(client, chat.session)).type).toBe('requires_action');

    const later = await Chat.begin('--session', chat.session);
    await later.until(`file_path: ${file}`);
    await later.until(QUESTION);
    expect(existsSync(file)).toBe(false);
    later.answer('yes');
    await later.until('File created successfully');
    expect(readFileSync(file, 'utf8')).toBe('the file');
    expect(await later.leave()).toMatchObject({ code: 0 });
  });

  test('leaves the call waiting at the end of the input, for any client to answer', async () => {
    const file = await chat.wantsToWrite('file');
    chat.program.type(CTRL_D);
    expect(await chat.program.finish()).toMatchObject({ code: 0 });
    expect(chat.program.stdout).toContain(`To go on with it: --session ${chat.session}`);
    const { type, waiting } = stopOf(await keptEvents(client, chat.session));
    expect({ type, waiting }).toEqual({ type: 'requires_action', waiting: [expect.any(String)] });
    const answers = waiting.map((use) => confirmation(use));
    expect(stopOf(await untilIdle(client, chat.session, answers)).type).toBe('end_turn');
    expect(readFileSync(file, 'utf8')).toBe('the file');
  });
});
