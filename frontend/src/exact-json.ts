/**
 * JSON whose numbers keep every digit. JavaScript's numbers are floats: `JSON.parse` rounds `1970670598291982290`, and of
 * `1.50` it keeps no spelling. A number that would change is an ExactNumber here; all others are numbers as always.
 *
 * Own code rather than a library: the parser stays the browser's, which is faster and tells where a text is wrong.
 */

export class ExactNumber {
  /** As JSON writes it. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** What `JSON.stringify` asks for; stringifyExact makes the number of it. */
  toJSON(): string {
    return MARK + this.text;
  }

  toString(): string {
    return this.text;
  }
}

/** In no text of a job: the API takes no U+0000, and nobody else knows the rest. */
const MARK = `\u0000${Math.random().toString(36).slice(2)}:`;
const MARKED = new RegExp(`"${JSON.stringify(MARK).slice(1, -1).replaceAll('\\', String.raw`\\`)}([-+.0-9eE]+)"`, 'gu');

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/u;
const NUMBERS = /-?\d[-+.0-9eE]*/gu;

/** The number that a text is; null when JSON has no such number. */
export function exactNumber(text: string): number | ExactNumber | null {
  if (!NUMBER.test(text)) return null;
  return changes(text) ? new ExactNumber(text) : Number(text);
}

function changes(text: string): boolean {
  return String(Number(text)) !== text;
}

/** Throws what `JSON.parse` throws. */
export function parseExact(text: string): unknown {
  const marked = replaceOutsideTexts(text, (number) => (NUMBER.test(number) && changes(number) ? JSON.stringify(MARK + number) : number));
  // What is wrong with it is told with the places of the text as it came.
  if (marked === text) return JSON.parse(text) as unknown;
  JSON.parse(text);
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? new ExactNumber(value.slice(MARK.length)) : value,
  ) as unknown;
}

/**
 * The same for what the API sends: inputs and outputs are exact, all else are numbers as the types say.
 */
export function parseAnswer(text: string): unknown {
  const exact = parseExact(text);
  return typeof exact === 'object' && exact !== null ? withNumbers(exact) : exact;
}

const EXACT_FIELDS: ReadonlySet<string> = new Set(['input', 'output']);

function withNumbers(value: unknown): unknown {
  if (value instanceof ExactNumber) return Number(value.text);
  if (typeof value !== 'object' || value === null) return value;
  for (const [name, inner] of Object.entries(value) as [string, unknown][]) {
    if (Array.isArray(value) || !EXACT_FIELDS.has(name)) (value as Record<string, unknown>)[name] = withNumbers(inner);
  }
  return value;
}

export function stringifyExact(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replaceAll(MARKED, '$1');
}

/** Calls `replace` for what may be a number; texts, which may hold anything, stay as they are. */
function replaceOutsideTexts(json: string, replace: (number: string) => string): string {
  let result = '';
  let at = 0;
  while (at < json.length) {
    const opening = json.indexOf('"', at);
    const between = opening < 0 ? json.slice(at) : json.slice(at, opening);
    result += between.replaceAll(NUMBERS, replace);
    if (opening < 0) return result;
    const end = endOfText(json, opening);
    result += json.slice(opening, end);
    at = end;
  }
  return result;
}

function endOfText(json: string, opening: number): number {
  for (let at = opening + 1; ; at += 1) {
    at = json.indexOf('"', at);
    if (at < 0) return json.length;
    let escapes = 0;
    while (json[at - 1 - escapes] === '\\') escapes += 1;
    if (escapes % 2 === 0) return at + 1;
  }
}
