/**
 * Variables that no client sets, whatever the operator allows: they decide which program runs, where the agent sends the
 * conversation and the upstream credential, or what the host itself sets. Compared without regard to case. Of git's, whose
 * configuration names programs too and which the agent itself runs at its start, only those that say who commits are free.
 */
const RESERVED =
  /^(?:(?:ANTHROPIC|AWS|BUN|CLAUDE|DISABLE|DYLD|GOOGLE|LD|NODE|NPM|OTEL|ROUNDHOUSE|SSL|VERTEX)_.*|GIT_(?!(?:AUTHOR|COMMITTER)_).*|.*_PROXY|PATH|HOME|SHELL|TMPDIR|LANG|IFS|ENV|BASH_ENV|IS_SANDBOX)$/i;

/**
 * Tells which variables clients may set: those of a list of names, where `*` at the end of one stands for any rest, and
 * never a reserved one.
 */
export function variableRule(allowed: readonly string[]): (name: string) => boolean {
  return (name) =>
    !RESERVED.test(name) &&
    allowed.some((each) =>
      each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each,
    );
}
