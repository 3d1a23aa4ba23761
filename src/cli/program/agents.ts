import type { Command } from 'commander';

import type { AgentCreateFlags } from '../commands/agents.ts';
import type { ClientFlags } from '../client/connection.ts';
import type { ListFlags } from '../client/list-pages.ts';
import type { ProgramParts } from './program-parts.ts';
import {
  addClientOptions,
  addJsonOption,
  addListOptions,
  addToolOptions,
  collected,
  wholeNumber,
} from './client-options.ts';

/** `roundhouse agents`. */
export function addAgents(program: Command, { context, done }: ProgramParts): void {
  const agents = program.command('agents').description('What sessions are made of.');

  addListOptions(agents.command('list').description('List agents, newest first.')).action(
    async (flags: ClientFlags & ListFlags) => {
      const { listAgents } = await import('../commands/agents.ts');
      done(await listAgents(flags, context));
    },
  );

  const show = agents
    .command('show')
    .description('Print an agent as it is now, or as it was at a version.')
    .argument('<id>', 'agent_…')
    .option('--version <n>', 'as it was at this version', wholeNumber);
  addClientOptions(addJsonOption(show)).action(
    async (id: string, flags: ClientFlags & { version?: number }) => {
      const { showAgent } = await import('../commands/agents.ts');
      done(await showAgent(id, flags, context));
    },
  );

  const create = agents
    .command('create')
    .description('Make an agent and print its id.')
    .option('--name <name>', 'its name')
    .option('--model <name>', "the model, one of the server's")
    .option('--system <text>', 'its system prompt')
    .option('--description <text>', 'what it is for')
    .option('--metadata <key=value>', 'a note of yours; can be given again', collected);
  addToolOptions(create)
    .option('--file <file>', 'all fields, as YAML or JSON; - reads stdin. Flags beat it')
    .addHelpText(
      'after',
      `
Examples:
  roundhouse agents create --name Reviewer --model sonnet --tools read,glob,grep --ask bash
  roundhouse agents create --file agent.yaml --name "Reviewer, a copy"
  roundhouse agents show agent_… --json | jq '{name, model, tools}' | roundhouse agents create --file -`,
    );
  addClientOptions(addJsonOption(create)).action(async (flags: AgentCreateFlags) => {
    const { createAgent } = await import('../commands/agents.ts');
    done(await createAgent(flags, context));
  });

  const archive = agents
    .command('archive')
    .description('Archive an agent, for good: it can be read, not be changed or used.')
    .argument('<id>', 'agent_…');
  addClientOptions(addJsonOption(archive)).action(async (id: string, flags: ClientFlags) => {
    const { archiveAgent } = await import('../commands/agents.ts');
    done(await archiveAgent(id, flags, context));
  });
}
