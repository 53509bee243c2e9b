/** What could stand at the caret of a search: names of the grammar, and values that are known. Pure. */
import { graphemes } from '../../components/graphemes';
import { JOB_STATES, quoted } from '../job-search';

export interface Suggestion {
  /** What takes the place of the term, or of the last of its values. */
  readonly text: string;
  readonly hint: string;
}

export interface Suggestions {
  /** The part of the text that one of them replaces. */
  readonly from: number;
  readonly to: number;
  readonly list: readonly Suggestion[];
}

export interface Known {
  readonly functions: readonly string[];
  readonly queues: readonly string[];
  /** Those that begin with what is typed. */
  readonly tags: readonly string[];
}

const TERMS: readonly Suggestion[] = [
  { text: 'state:', hint: 'one state, or several with commas' },
  { text: 'function:', hint: 'function name' },
  { text: 'queue:', hint: 'queue name' },
  { text: 'tag:', hint: 'tag name' },
  { text: 'priority:', hint: '1 to 9' },
  { text: 'failure:', hint: 'the fingerprint of an error' },
  { text: 'worker:', hint: 'the last worker' },
  { text: 'batch:', hint: 'its id' },
  { text: 'schedule:', hint: 'its id' },
  { text: 'id:', hint: 'one job' },
  { text: 'created>', hint: 'from a time on, like 2026-01-02T03:04:05Z' },
  { text: 'created<', hint: 'before a time' },
  { text: 'finished>', hint: 'from a time on' },
  { text: 'finished<', hint: 'before a time' },
  { text: 'input.', hint: 'a field of the input: input.index>1000' },
];

/** More than this is no help. */
const MOST = 12;

export function suggest(text: string, caret: number, known: Known): Suggestions {
  const before = text.slice(0, caret);
  const none = { from: caret, to: caret, list: [] };
  // Within quotes there are only words.
  if ((before.match(/"/gu) ?? []).length % 2 === 1) return none;
  const from = before.search(/\S*$/u);
  const to = caret + text.slice(caret).search(/\s|$/u);
  const term = before.slice(from);
  const colon = term.indexOf(':');
  if (colon < 0) return { from, to, list: TERMS.filter((each) => each.text.startsWith(term)).slice(0, MOST) };
  const values = valuesOf(term.slice(0, colon), known);
  if (values === null) return none;
  const comma = term.startsWith('state:') ? term.lastIndexOf(',') : -1;
  const start = from + Math.max(colon, comma) + 1;
  const typed = text.slice(start, caret);
  const list = values.filter((value) => value.startsWith(typed)).map((value) => ({ text: `${quoted(value)} `, hint: '' }));
  return { from: start, to, list: list.slice(0, MOST) };
}

/** What is typed of a tag at the caret; null when no tag is. */
export function tagAt(text: string, caret: number): string | null {
  return /(?:^|\s)tag:([\p{L}\p{M}\p{N}_.:/@+#=-]*)$/u.exec(text.slice(0, caret))?.[1] ?? null;
}

function valuesOf(name: string, { functions, queues, tags }: Known): readonly string[] | null {
  switch (name) {
    case 'state':
      return JOB_STATES;
    case 'function':
      return functions;
    case 'queue':
      return queues;
    case 'tag':
      return tags;
    case 'priority':
      return ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
    default:
      return null;
  }
}

export interface Misread {
  /** The number of the character, counted from 1. */
  readonly at: number;
  readonly message: string;
}

/** Where a search is wrong, as the API says it: "character 7: there is no state …". */
export function misreadOf(message: string): Misread | null {
  const [, at, said] = /^character (\d+): (.*)$/su.exec(message) ?? [];
  return at === undefined || said === undefined ? null : { at: Number(at), message: said };
}

/** The search around the character that is wrong. The server counts code points; a whole character is marked. */
export function markedAt(query: string, at: number): { before: string; marked: string; after: string } {
  let points = 0;
  for (const { segment, index } of graphemes(query)) {
    points += Array.from(segment, (point) => point).length;
    if (points >= at) {
      const end = index + segment.length;
      return { before: query.slice(0, index), marked: segment, after: query.slice(end) };
    }
  }
  return { before: query, marked: '', after: '' };
}
