/** Characters as people see them: an emoji of several code points, or a letter with its accents, is one. */
export interface Grapheme {
  readonly segment: string;
  /** Where it begins, in UTF-16 code units. */
  readonly index: number;
}

const segmenter = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter('en', { granularity: 'grapheme' }) : null;

export function graphemes(text: string): Iterable<Grapheme> {
  return segmenter === null ? codePoints(text) : segmenter.segment(text);
}

/** What an old browser can tell apart. */
function* codePoints(text: string): Generator<Grapheme> {
  let index = 0;
  for (const segment of text) {
    yield { segment, index };
    index += segment.length;
  }
}

/** Past this nothing that is seen as one character goes on: it is cut all the same. */
const WINDOW = 400;
/** Below it no code point joins another, but for CR and LF. */
const FIRST_THAT_JOINS = 0x300;

/** The last place at or before `at` where a character ends. */
export function boundaryBefore(text: string, at: number): number {
  return boundary(text, at, -1);
}

/** The first place at or after `at` where a character ends. */
export function boundaryAfter(text: string, at: number): number {
  return boundary(text, at, 1);
}

function boundary(text: string, at: number, direction: -1 | 1): number {
  if (at <= 0 || at >= text.length) return Math.min(Math.max(at, 0), text.length);
  const joins = (place: number) => text.charCodeAt(place) >= FIRST_THAT_JOINS || text.charCodeAt(place) === 0x0a;
  // Most texts are plain: they need no segmenter.
  if (!joins(at) && !joins(at - 1)) return at;
  const from = plainBefore(text, at);
  const ends = [from];
  for (const { segment, index } of graphemes(text.slice(from, at + WINDOW))) ends.push(from + index + segment.length);
  if (direction < 0) return ends.filter((end) => end <= at).at(-1) ?? at;
  return ends.find((end) => end >= at) ?? at;
}

/** A place from which characters can be told apart: after one that joins nothing. */
function plainBefore(text: string, at: number): number {
  const lowest = Math.max(0, at - WINDOW);
  for (let place = at - 1; place > lowest; place -= 1) {
    if (text.charCodeAt(place) < FIRST_THAT_JOINS && text.charCodeAt(place) !== 0x0a) return place;
  }
  // Not between the two halves of one code point.
  return lowest > 0 && (text.codePointAt(lowest - 1) ?? 0) > 0xffff ? lowest + 1 : lowest;
}
