/**
 * Reads the composite literals of a Go file that declare a provider's schema: what functions
 * return, what variables hold and what is registered. Everything else stays text.
 */

/** A composite literal with keys: `&schema.Schema{Type: …}` or `map[string]…{"name": …}`. */
export interface GoLiteral {
  readonly fields: Readonly<Record<string, GoValue>>;
}

/** A literal with keys, or the text of any other expression; a string's text without quotes. */
export type GoValue = GoLiteral | string;

export interface GoFile {
  /** By function: the literal or the call that it returns first. */
  readonly returns: ReadonlyMap<string, GoValue>;
  /** By package variable: what it holds. */
  readonly values: ReadonlyMap<string, GoValue>;
  /** Every `registry.Schema{…}`. */
  readonly registrations: readonly GoLiteral[];
}

const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)*'|[\w.]+|\s+|[\s\S]/g;

const OPEN: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };

export function parseGo(text: string): GoFile {
  const tokens = (text.match(TOKEN) ?? []).filter(
    (token) => !/^(\s|\/\/|\/\*)/.test(token) && token !== '',
  );
  const returns = new Map<string, GoValue>();
  const values = new Map<string, GoValue>();
  const registrations: GoLiteral[] = [];
  let name: string | undefined;
  for (const [at, token] of tokens.entries()) {
    if (token === 'func' && /^\w+$/.test(tokens[at + 1] ?? '')) name = tokens[at + 1];
    if (token === 'return' && name !== undefined && !returns.has(name)) {
      const returned = literalAt(tokens, at + 1)?.value ?? callAt(tokens, at + 1);
      if (returned !== undefined) returns.set(name, returned);
    }
    if (token === '=') {
      const literal = literalAt(tokens, at + 1);
      // A type may stand between the name and `=`: `*schema.Resource`.
      const named = tokens[at - 2] === '*' ? at - 3 : at - 1;
      if (literal !== undefined) values.set(tokens[named] ?? '', literal.value);
    }
    if (token === 'registry.Schema' && tokens[at + 1] === '{') {
      const literal = literalAt(tokens, at);
      if (literal !== undefined) registrations.push(literal.value);
    }
  }
  return { returns, values, registrations };
}

/** The literal that begins here, and where it ends; undefined where none does. */
function literalAt(
  tokens: readonly string[],
  start: number,
): { value: GoLiteral; end: number } | undefined {
  let at = start;
  if (tokens[at] === '&') at += 1;
  if (tokens[at] === 'map' && tokens[at + 1] === '[') {
    at = closing(tokens, at + 1) + 1;
    if (tokens[at] === '*') at += 1;
  }
  if (/^[\w.]+$/.test(tokens[at] ?? '')) at += 1;
  if (tokens[at] !== '{') return undefined;
  const fields: Record<string, GoValue> = {};
  const end = closing(tokens, at);
  at += 1;
  while (at < end) {
    const key = unquoted(tokens[at] ?? '');
    if (tokens[at + 1] !== ':') return undefined;
    const value = valueAt(tokens, at + 2, end);
    fields[key] = value.value;
    at = value.end + 1;
  }
  return { value: { fields }, end };
}

/** The text of a call that begins here. */
function callAt(tokens: readonly string[], at: number): string | undefined {
  if (!/^[\w.]+$/.test(tokens[at] ?? '') || tokens[at + 1] !== '(') return undefined;
  return tokens.slice(at, closing(tokens, at + 1) + 1).join('');
}

/** A value up to its comma, or to the end of what is around it. */
function valueAt(
  tokens: readonly string[],
  start: number,
  limit: number,
): { value: GoValue; end: number } {
  let end = start;
  while (end < limit && tokens[end] !== ',') {
    end = OPEN[tokens[end] ?? ''] === undefined ? end + 1 : closing(tokens, end) + 1;
  }
  const literal = literalAt(tokens, start);
  if (literal !== undefined && literal.end + 1 === end) return { value: literal.value, end };
  const text = tokens.slice(start, end);
  return { value: text.length === 1 ? unquoted(text[0] ?? '') : text.join(''), end };
}

function closing(tokens: readonly string[], start: number): number {
  let depth = 0;
  for (let at = start; at < tokens.length; at += 1) {
    const token = tokens[at] ?? '';
    if (token in OPEN) depth += 1;
    else if (token === '}' || token === ')' || token === ']') depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error('a bracket is not closed');
}

const unquoted = (token: string): string => (/^["`]/.test(token) ? token.slice(1, -1) : token);
