import { join } from 'node:path';

/**
 * Where data goes unless the configuration says otherwise, after the XDG base directory specification: below
 * `$XDG_DATA_HOME` if that is absolute, else below `~/.local/share`.
 */
export function defaultDataDir(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  const base = env['XDG_DATA_HOME'];
  const folder = base?.startsWith('/') === true ? base : join(home, '.local', 'share');
  return join(folder, 'roundhouse');
}
