import type { Command } from 'commander';

import type { ChatFlags } from '../commands/chat.ts';
import type { ProgramParts } from './program-parts.ts';
import { addClientOptions } from './client-options.ts';

/** The commands that talk with an agent: `chat`. */
export function addTalk(program: Command, { context, done }: ProgramParts): void {
  const chat = program
    .command('chat')
    .description(
      'Talk with a session in the terminal. Ctrl-C interrupts the turn, a second one leaves.',
    )
    .option('--session <id>', 'the session to begin or go on with; by default a new one')
    .option('--model <name>', 'the model; by default the first that the server offers')
    .option(
      '--workspace <folder>',
      "the folder that a new session works in, on the server's machine and of those that it allows; by default one of its own",
    );
  addClientOptions(chat).action(async (flags: ChatFlags) => {
    const { chat: talk } = await import('../commands/chat.ts');
    done(await talk(flags, context));
  });
}
