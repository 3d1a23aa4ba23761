/** Keys that `roundhouse keys new` has made. */
const MADE_KEY = /rh_[\w-]{43}/g;

/** The text without the key, and without anything that looks like a key of ours. */
export function withoutSecrets(text: string, key: string | undefined): string {
  const shown = key === undefined ? text : text.replaceAll(key, '[key]');
  return shown.replaceAll(MADE_KEY, '[key]');
}
