import { Option } from 'commander';
import type { Command } from 'commander';

import type { ClientFlags } from '../client/connection.ts';
import type { ProgramParts } from './program-parts.ts';
import type { SessionCreateFlags, SessionListFlags } from '../commands/sessions.ts';
import type { TailFlags } from '../commands/tail.ts';
import {
  addClientOptions,
  addJsonOption,
  addListOptions,
  collected,
  wholeNumber,
} from './client-options.ts';

/** `roundhouse sessions`. */
export function addSessions(program: Command, { context, done }: ProgramParts): void {
  const sessions = program.command('sessions').description('Conversations with agents.');

  const list = sessions
    .command('list')
    .description('List sessions, newest first.')
    .option('--agent <id>', 'those of this agent')
    .addOption(
      new Option('--status <status...>', 'those that are in one of these').choices([
        'idle',
        'running',
        'rescheduling',
        'terminated',
      ]),
    );
  addListOptions(list).action(async (flags: SessionListFlags) => {
    const { listSessions } = await import('../commands/sessions.ts');
    done(await listSessions(flags, context));
  });

  const show = sessions
    .command('show')
    .description('Print a session: what it is made of, its status, usage and cost.')
    .argument('<id>', 'sesn_…');
  addClientOptions(addJsonOption(show)).action(async (id: string, flags: ClientFlags) => {
    const { showSession } = await import('../commands/sessions.ts');
    done(await showSession(id, flags, context));
  });

  const tail = sessions
    .command('tail')
    .description(
      'Show what happens in a session, as it happens, until Ctrl-C. A lost connection is made again.',
    )
    .argument('<id>', 'sesn_…')
    .option('--all', 'from its first event on')
    .option('--from <n>', 'from its event of that number on; 1 is the first', wholeNumber)
    .option('--after <event>', 'from behind the event of that id on')
    .option('--json', 'print each event as one line of JSON, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  roundhouse sessions tail sesn_…
  roundhouse sessions tail sesn_… --all --json | jq -r 'select(.type == "agent.message").content[].text'`,
    );
  addClientOptions(tail).action(async (id: string, flags: TailFlags) => {
    const { tailSession } = await import('../commands/tail.ts');
    done(await tailSession(id, flags, context));
  });

  const create = sessions
    .command('create')
    .description('Make a session and print its id.')
    .option('--agent <id>', 'agent_…, or agent_…@3 for its version 3')
    .option('--environment <id>', 'env_…')
    .option('--title <text>', 'what it is about')
    .option('--budget <dollars>', 'the most that it may cost, at list price')
    .option('--metadata <key=value>', 'a note of yours; can be given again', collected)
    .option('--file <file>', 'all fields, as YAML or JSON; - reads stdin. Flags beat it')
    .addHelpText(
      'after',
      `
Examples:
  roundhouse sessions create --agent agent_… --environment env_… --title "Release notes"
  roundhouse chat --session "$(roundhouse sessions create --file session.yaml)"`,
    );
  addClientOptions(addJsonOption(create)).action(async (flags: SessionCreateFlags) => {
    const { createSession } = await import('../commands/sessions.ts');
    done(await createSession(flags, context));
  });

  const archive = sessions
    .command('archive')
    .description('Archive a session, for good: it can be read, and takes no more prompts.')
    .argument('<id>', 'sesn_…');
  addClientOptions(addJsonOption(archive)).action(async (id: string, flags: ClientFlags) => {
    const { archiveSession } = await import('../commands/sessions.ts');
    done(await archiveSession(id, flags, context));
  });

  const remove = sessions
    .command('delete')
    .description('Delete a session with its events, transcript and workspace. Asks first.')
    .argument('<id>', 'sesn_…')
    .option('--yes', 'do not ask');
  addClientOptions(addJsonOption(remove)).action(
    async (id: string, flags: ClientFlags & { yes?: boolean }) => {
      const { deleteSession } = await import('../commands/sessions.ts');
      done(await deleteSession(id, flags, context));
    },
  );
}
