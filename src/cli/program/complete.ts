import type { Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];

/**
 * `roundhouse complete SHELL` prints the script that a shell reads; `roundhouse complete -- WORDS` is what that script asks. What
 * is answered comes from the commands and options that the program has, so it is added last.
 */
export async function addComplete(program: Command, completing: boolean): Promise<void> {
  if (completing) {
    const { default: tab } = await import('@bomb.sh/tab/commander');
    tab(program);
    return;
  }
  program
    .command('complete')
    .description('Print the completion script of a shell.')
    .argument('<shell>', `one of ${SHELLS.join(', ')}`)
    .addHelpText('after', HELP);
}

const HELP = `
Examples:
  source <(roundhouse complete bash)
  roundhouse complete fish > ~/.config/fish/completions/roundhouse.fish`;
