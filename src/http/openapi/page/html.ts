/** Text that is HTML already. Only {@link html} makes it. */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** What can stand in the holes of {@link html}; undefined is nothing. */
type Hole = Html | string | number | undefined | readonly Hole[];

/** HTML with holes: whatever is put in is text, and escaped, unless it is HTML itself. Attributes must be in double quotes. */
export function html(parts: TemplateStringsArray, ...holes: readonly Hole[]): Html {
  return new Html(
    parts.map((part, index) => (index === 0 ? part : filled(holes[index - 1]) + part)).join(''),
  );
}

/** Prose of a description: what stands between backticks is code. */
export function prose(text: string): Html {
  const pieces = text.split('`');
  return html`${pieces.map((piece, index) => (index % 2 === 0 ? piece : html`<code>${piece}</code>`))}`;
}

function filled(hole: Hole): string {
  if (hole === undefined) return '';
  if (hole instanceof Html) return hole.toString();
  if (Array.isArray(hole)) return hole.map(filled).join('');
  return escaped(String(hole));
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
