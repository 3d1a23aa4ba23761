import type { Command } from 'commander';

import type { ChatFlags } from '../commands/chat.ts';
import type { ProgramParts } from './program-parts.ts';
import type { RunFlags } from '../commands/run.ts';
import { addClientOptions, addToolOptions } from './client-options.ts';

/** The commands that talk with an agent: `run` and `chat`. */
export function addTalk(program: Command, parts: ProgramParts): void {
  addRun(program, parts);
  addChat(program, parts);
}

function addRun(program: Command, { context, done }: ProgramParts): void {
  const command = program
    .command('run')
    .description(
      'Run one prompt and print its answer. Ctrl-C interrupts the turn, a second one leaves.',
    )
    .argument('[prompt]', 'the prompt; without it, or with -, it is read from stdin')
    .option('--session <id>', 'the session to run it in; by default a new one')
    .option('--agent <id>', 'what a new session is made of; by default one without tools')
    .option('--environment <id>', 'where it runs; by default in an empty folder')
    .option('--model <name>', "the model; by default the agent's, or the first of the server")
    .option('--system <text>', 'the system prompt of the session');
  addToolOptions(command)
    .option('--keep', 'leave the session there; by default it is deleted')
    .option('--json', 'print one JSON document at the end, and nothing else')
    .addHelpText(
      'after',
      `
The answer goes to stdout as it comes, everything else to stderr.

Ends with:
  0  the turn came to its end
  1  a request failed: nobody answers, the server refuses
  2  the command line was not understood
  3  the turn failed
  4  the model refused
  5  the turn was interrupted
  6  the turn waits for an answer that nobody can give here: leave for a tool, say
  7  the budget of the session is used up
  130  left by a second Ctrl-C, or by the first while its session is made

Examples:
  roundhouse run "What is a roundhouse?"
  git diff | roundhouse run --system "Write a commit message for this." > message.txt
  roundhouse run --tools read,glob,grep --environment env_… "Where are errors mapped?"`,
    );
  addClientOptions(command).action(async (prompt: string | undefined, flags: RunFlags) => {
    const { run } = await import('../commands/run.ts');
    done(await run(prompt, flags, context));
  });
}

function addChat(program: Command, { context, done }: ProgramParts): void {
  const command = program
    .command('chat')
    .description(
      'Talk with a session in the terminal. Ctrl-C interrupts the turn, a second one leaves.',
    )
    .option(
      '--session <id>',
      'the session to go on with, sesn_…; or a name, to talk over the Messages API with the session of that name; by default a new one',
    )
    .option(
      '--agent <id>',
      'what a new session is made of; by default one that asks before it acts',
    )
    .option('--environment <id>', 'where it runs; by default in an empty folder')
    .option(
      '--workspace <folder>',
      "the folder that a new session works in, on the server's machine and of those that it allows; by default one of its own",
    )
    .option('--model <name>', "the model; by default the agent's, or the first of the server");
  addToolOptions(command).addHelpText(
    'after',
    `
Where the agent needs leave for a tool, the call is shown and you are asked. Without a terminal nobody is asked, and such
calls are denied.

Examples:
  roundhouse chat
  roundhouse chat --workspace . --tools read,glob,grep,bash --ask write,edit
  roundhouse chat --session sesn_…`,
  );
  addClientOptions(command).action(async (flags: ChatFlags) => {
    const { chat } = await import('../commands/chat.ts');
    done(await chat(flags, context));
  });
}
