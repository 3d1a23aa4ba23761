/** A piece of a source text, as far as finding imports needs it. */
export interface Token {
  /** A template counts as one sign, a backquote, followed by the tokens of what is put into it. */
  readonly kind: 'word' | 'sign' | 'string';
  /** Of a string: what stands between the quotes. */
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

/** After these a slash begins a regular expression and is no division. */
const BEFORE_REGEX = new Set(
  'return typeof case in of delete void throw await yield else = ( , [ { } ; : ! & | ? + - * % < > ~'.split(
    ' ',
  ),
);

const SPACE = /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)+/y;
const STRING = /'(?:\\[^]|[^'\\\n])*'|"(?:\\[^]|[^"\\\n])*"/y;
const WORD = /[\p{ID_Start}\d$_#@][\p{ID_Continue}$]*/uy;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y;

/** Splits a TypeScript source into tokens; comments and regular expressions are left out. */
export function readTokens(source: string): Token[] {
  return new TokenReader(source).read();
}

/** Goes through a text once, from left to right. */
class TokenReader {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at: number;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
    // `#!/usr/bin/env node`
    this.#at = source.startsWith('#!') ? source.indexOf('\n') : 0;
    if (this.#at < 0) this.#at = source.length;
  }

  read(): Token[] {
    this.#readCode(false);
    return this.#tokens;
  }

  /** Reads code up to the end, or up to the brace that ends what is put into a template. */
  #readCode(inTemplate: boolean): void {
    let openBraces = 0;
    while (this.#at < this.#source.length) {
      if (this.#take(SPACE) !== undefined) continue;
      if (this.#startsRegex() && this.#take(REGEX) !== undefined) {
        this.#push('sign', '/');
        continue;
      }
      const string = this.#take(STRING);
      if (string !== undefined) {
        this.#push('string', string.slice(1, -1));
        continue;
      }
      const word = this.#take(WORD);
      if (word !== undefined) {
        this.#push('word', word);
        continue;
      }
      const sign = this.#source.charAt(this.#at);
      this.#at += 1;
      if (sign === '{') openBraces += 1;
      if (sign === '}') openBraces -= 1;
      if (inTemplate && openBraces < 0) return;
      this.#push('sign', sign);
      if (sign === '`') this.#readTemplate();
    }
  }

  /** Reads on after an opening backquote. */
  #readTemplate(): void {
    while (this.#at < this.#source.length) {
      const sign = this.#source.charAt(this.#at);
      this.#at += sign === '\\' ? 2 : 1;
      if (sign === '\n') this.#line += 1;
      if (sign === '`') return;
      if (sign === '$' && this.#source.charAt(this.#at) === '{') {
        this.#at += 1;
        this.#readCode(true);
      }
    }
  }

  #startsRegex(): boolean {
    const before = this.#tokens.at(-1);
    return before === undefined || (before.kind !== 'string' && BEFORE_REGEX.has(before.text));
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    this.#line += found.split('\n').length - 1;
    return found;
  }

  #push(kind: Token['kind'], text: string): void {
    this.#tokens.push({ kind, text, line: this.#line });
  }
}
