import { limits } from './limits.ts';
import { invalidArgument, tooLarge } from './status.ts';

/**
 * The filter language of subscriptions, over attributes only:
 *
 *     attributes:KEY   attributes.KEY = "V"   attributes.KEY != "V"   hasPrefix(attributes.KEY, "V")
 *
 * joined by AND, OR, NOT (or `-`) and parentheses. A key is a plain word or a string. AND beside
 * OR without parentheses is refused: readers and services differ on which binds tighter, so what
 * is accepted here has one meaning everywhere.
 */
export type Filter = (attributes: Readonly<Record<string, string>>) => boolean;

type Token =
  | { readonly type: 'word'; readonly text: string }
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'sign'; readonly text: string };

const PIECE = /\s*(?:([A-Za-z0-9_-]+)|("(?:[^"\\]|\\.)*")|(!=|[=:.(),]))/y;
/** A minus before a word is a negation; inside a word it belongs to the word. */
const MINUS = /\s*-/y;

/** Compiles a filter; an empty one lets everything through. Throws INVALID_ARGUMENT. */
export function parseFilter(text: string): Filter {
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.filterBytesMax) throw tooLarge('filter', bytes, limits.filterBytesMax);
  if (text.trim() === '') return () => true;
  const parser = new Parser(tokens(text), text);
  return parser.whole();
}

const fault = (text: string, why: string) =>
  invalidArgument(`Invalid filter syntax: ${why} (filter=${text}).`);

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (text.slice(at).trim() !== '') {
    MINUS.lastIndex = at;
    PIECE.lastIndex = at;
    const minus = MINUS.exec(text);
    const piece = minus ?? PIECE.exec(text);
    if (piece === null) throw fault(text, `unexpected character at ${at}`);
    at += piece[0].length;
    if (minus !== null) found.push({ type: 'sign', text: '-' });
    else if (piece[1] !== undefined) found.push({ type: 'word', text: piece[1] });
    else if (piece[2] !== undefined) found.push({ type: 'string', text: unquote(piece[2], text) });
    else found.push({ type: 'sign', text: piece[3] ?? '' });
  }
  return found;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '"': '"',
  '\\': '\\',
};

function unquote(quoted: string, text: string): string {
  return quoted
    .slice(1, -1)
    .replace(
      /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-7]{3})|(.))/g,
      (whole, unicode?: string, hex?: string, octal?: string, other?: string) => {
        const code = unicode ?? hex;
        if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
        const plain = ESCAPES[other ?? ''];
        if (plain === undefined) throw fault(text, `unknown escape ${whole}`);
        return plain;
      },
    );
}

/** Recursive descent over the tokens; the 256 bytes of a filter bound its depth. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #text: string;
  #at = 0;

  constructor(list: readonly Token[], text: string) {
    this.#tokens = list;
    this.#text = text;
  }

  whole(): Filter {
    const filter = this.#expression();
    if (this.#at < this.#tokens.length) throw fault(this.#text, 'text after the end');
    return filter;
  }

  #expression(): Filter {
    const parts = [this.#term()];
    let operator: string | undefined;
    for (;;) {
      const next = this.#tokens[this.#at];
      if (next?.type !== 'word' || (next.text !== 'AND' && next.text !== 'OR')) break;
      if (operator !== undefined && operator !== next.text) {
        throw fault(this.#text, 'AND beside OR needs parentheses');
      }
      operator = next.text;
      this.#at += 1;
      parts.push(this.#term());
    }
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return only;
    return operator === 'OR'
      ? (attributes) => parts.some((part) => part(attributes))
      : (attributes) => parts.every((part) => part(attributes));
  }

  #term(): Filter {
    if (this.#take('word', 'NOT') || this.#take('sign', '-')) {
      const inner = this.#term();
      return (attributes) => !inner(attributes);
    }
    if (this.#take('sign', '(')) {
      const inner = this.#expression();
      this.#need('sign', ')');
      return inner;
    }
    if (this.#take('word', 'hasPrefix')) return this.#prefix();
    this.#need('word', 'attributes');
    if (this.#take('sign', ':')) {
      const key = this.#key();
      return (attributes) => Object.hasOwn(attributes, key);
    }
    return this.#comparison();
  }

  #prefix(): Filter {
    this.#need('sign', '(');
    this.#need('word', 'attributes');
    this.#need('sign', '.');
    const key = this.#key();
    this.#need('sign', ',');
    const prefix = this.#value();
    this.#need('sign', ')');
    return (attributes) => Object.hasOwn(attributes, key) && !!attributes[key]?.startsWith(prefix);
  }

  #comparison(): Filter {
    this.#need('sign', '.');
    const key = this.#key();
    const equal = this.#take('sign', '=');
    if (!equal) this.#need('sign', '!=');
    const value = this.#value();
    return (attributes) => (Object.hasOwn(attributes, key) && attributes[key] === value) === equal;
  }

  #key(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined || token.type === 'sign') throw fault(this.#text, 'expected a key');
    this.#at += 1;
    return token.text;
  }

  #value(): string {
    const token = this.#tokens[this.#at];
    if (token?.type !== 'string') throw fault(this.#text, 'expected a string in quotes');
    this.#at += 1;
    return token.text;
  }

  #take(type: Token['type'], text: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.type !== type || token.text !== text) return false;
    this.#at += 1;
    return true;
  }

  #need(type: Token['type'], text: string): void {
    if (!this.#take(type, text)) throw fault(this.#text, `expected ${text}`);
  }
}
