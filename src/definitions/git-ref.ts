const MAX_REF_CHARS = 255;

/** What a ref has to be, as the end of a sentence that begins with "expected". */
export const GIT_REF_RULE = 'the name of a branch or a tag, or the full id of a commit';

/**
 * Whether a text can name a branch, a tag or a commit: the rules of `git check-ref-format`, so nothing that git would take
 * for an option, an expression or a pattern.
 */
export function isGitRef(text: string): boolean {
  return (
    text.length <= MAX_REF_CHARS &&
    text.isWellFormed() &&
    text !== '@' &&
    !text.startsWith('-') &&
    !/[\p{Cc} ~^:?*[\\]|\.\.|@\{|\.$/u.test(text) &&
    text.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'))
  );
}

/** Whether a ref is the full id of a commit, by SHA-1 or SHA-256. */
export function isCommitId(ref: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);
}
