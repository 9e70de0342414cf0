import { EvaluationError } from './evaluation-error.ts';
import { limits } from './limits.ts';
import type { SeriesName } from './series.ts';

/**
 * The part of Cloud Monitoring's filter language that our files use: comparisons joined by AND,
 * written or understood, over `metric.type`, `resource.type`, `metric.label.X`, `resource.label.X`
 * and `project`:
 *
 *     metric.type = "…" AND metric.label."reason" != "x" AND metric.label.state = one_of("a", "b")
 */
export interface Filter {
  /** The one metric that it is about. */
  readonly metricType: string;
  matches(series: SeriesName): boolean;
}

type Test = (value: string) => boolean;

interface Comparison {
  readonly field: string;
  readonly negated: boolean;
  readonly test: Test;
  readonly plain: string | undefined;
}

const PIECE = /\s*(?:("(?:[^"\\]|\\.)*")|([A-Za-z_][A-Za-z0-9_]*)|(!=|[=.(),]))/y;

/** Compiles a filter; throws an EvaluationError that says what it does not know. */
export function parseFilter(text: string): Filter {
  if (text.length > limits.filterCharactersMax) {
    throw new EvaluationError(
      `The filter is longer than ${limits.filterCharactersMax} characters.`,
    );
  }
  const comparisons = new Parser(tokens(text), text).whole();
  const types = comparisons.filter(({ field }) => field === 'metric.type');
  const metricType = types.length === 1 && !types[0]?.negated ? types[0]?.plain : undefined;
  if (metricType === undefined) {
    throw new EvaluationError(`The filter must name one metric by metric.type = "…": ${text}`);
  }
  return {
    metricType,
    matches: (series) =>
      series.metricType === metricType &&
      comparisons.every(({ field, negated, test }) => test(fieldOf(series, field)) !== negated),
  };
}

/** A field as it is spoken of in filters and in groupByFields, in one spelling. */
export function parseField(text: string): string {
  const parser = new Parser(tokens(text), text);
  return parser.onlyField();
}

/** What a series has in a field; an absent label is an empty one. */
export function fieldOf(series: SeriesName, field: string): string {
  if (field === 'metric.type') return series.metricType;
  if (field === 'resource.type') return series.resourceType;
  if (field === 'project') return series.resourceLabels['project_id'] ?? '';
  const [whose, ...rest] = field.split('.label.');
  const labels = whose === 'metric' ? series.metricLabels : series.resourceLabels;
  const label = rest.join('.label.');
  return Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
}

interface Token {
  readonly type: 'string' | 'word' | 'sign' | 'end';
  readonly text: string;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (text.slice(at).trim() !== '') {
    PIECE.lastIndex = at;
    const piece = PIECE.exec(text);
    if (piece === null) {
      throw new EvaluationError(`Not understood in a filter: ${text.slice(at).trim()}`);
    }
    at += piece[0].length;
    const [, quoted, word, sign = ''] = piece;
    if (quoted !== undefined) found.push({ type: 'string', text: unquote(quoted) });
    else if (word !== undefined) found.push({ type: 'word', text: word });
    else found.push({ type: 'sign', text: sign });
  }
  return found;
}

const unquote = (quoted: string): string => quoted.slice(1, -1).replace(/\\(.)/g, '$1');

/** The functions that a value can be compared with. */
const FUNCTIONS: Readonly<Record<string, (values: readonly string[]) => Test>> = {
  one_of: (values) => (value) => values.includes(value),
  starts_with:
    ([prefix = '']) =>
    (value) =>
      value.startsWith(prefix),
  ends_with:
    ([suffix = '']) =>
    (value) =>
      value.endsWith(suffix),
  has_substring:
    ([part = '']) =>
    (value) =>
      value.includes(part),
  'monitoring.regex.full_match': ([pattern = '']) => {
    const whole = compile(pattern);
    return (value) => whole.test(value);
  },
};

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    throw new EvaluationError(`No regular expression: ${pattern}`);
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #text: string;
  #at = 0;

  constructor(list: readonly Token[], text: string) {
    this.#tokens = list;
    this.#text = text;
  }

  whole(): Comparison[] {
    const comparisons = [this.#comparison()];
    while (this.#peek().type !== 'end') {
      // Side by side means AND too.
      if (this.#isWord('AND')) this.#at += 1;
      else if (this.#isWord('OR') || this.#isWord('NOT')) throw this.#unknown(this.#peek().text);
      comparisons.push(this.#comparison());
    }
    return comparisons;
  }

  onlyField(): string {
    const field = this.#field();
    if (this.#peek().type !== 'end') throw this.#unknown(this.#peek().text);
    return field;
  }

  #comparison(): Comparison {
    const field = this.#field();
    const sign = this.#next();
    if (sign.type !== 'sign' || (sign.text !== '=' && sign.text !== '!=')) {
      throw this.#unknown(sign.text);
    }
    const negated = sign.text === '!=';
    const value = this.#peek();
    if (value.type === 'string') {
      this.#at += 1;
      return { field, negated, plain: value.text, test: (given) => given === value.text };
    }
    const name = this.#path().join('.');
    const make = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (make === undefined) throw this.#unknown(name);
    return { field, negated, plain: undefined, test: make(this.#arguments()) };
  }

  #field(): string {
    const [first, second, ...rest] = this.#path();
    const label = rest.join('.');
    if (first === 'metric' || first === 'resource') {
      if (second === 'type' && rest.length === 0) return `${first}.type`;
      if ((second === 'label' || second === 'labels') && label !== '') {
        return `${first}.label.${label}`;
      }
    }
    if (first === 'project' && second === undefined) return 'project';
    throw this.#unknown([first, second, ...rest].join('.'));
  }

  /** Words joined by dots; a label may stand in quotes. */
  #path(): string[] {
    const words = [this.#word()];
    while (this.#peek().type === 'sign' && this.#peek().text === '.') {
      this.#at += 1;
      words.push(this.#word());
    }
    return words;
  }

  #word(): string {
    const token = this.#next();
    if (token.type !== 'word' && token.type !== 'string') throw this.#unknown(token.text);
    return token.text;
  }

  #arguments(): string[] {
    const values: string[] = [];
    this.#need('(');
    do {
      const token = this.#next();
      if (token.type !== 'string') throw this.#unknown(token.text);
      values.push(token.text);
    } while (this.#skip(','));
    this.#need(')');
    return values;
  }

  #need(sign: string): void {
    if (!this.#skip(sign)) throw this.#unknown(this.#peek().text);
  }

  #skip(sign: string): boolean {
    const token = this.#peek();
    if (token.type !== 'sign' || token.text !== sign) return false;
    this.#at += 1;
    return true;
  }

  #isWord(word: string): boolean {
    const token = this.#peek();
    return token.type === 'word' && token.text === word;
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { type: 'end', text: 'the end' };
  }

  #next(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #unknown(what: string): EvaluationError {
    return new EvaluationError(`Not known in a filter here: ${what} (filter ${this.#text})`);
  }
}
