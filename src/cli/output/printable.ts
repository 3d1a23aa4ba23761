/** Control characters but the end of a line and the tabulator: in a terminal they could move, hide or send. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text from elsewhere, safe to write to a terminal: what could command it is shown as `\u001b`. Lines stay lines. */
export function printable(text: string): string {
  return text.replaceAll(
    CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The same in one line. */
export function onOneLine(text: string): string {
  return printable(text.replaceAll(/\s*\n\s*/g, ' ').replaceAll('\t', ' '));
}
