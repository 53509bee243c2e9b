/** Long values on one line: both ends stay, the middle goes. No character is cut in two. */
import { boundaryAfter, boundaryBefore } from './graphemes';

export interface Shortened {
  readonly text: string;
  readonly shortened: boolean;
}

/** At most `2 * keep + 1` UTF-16 code units. A text that the server has shortened already is cut at its own gap. */
export function shortenMiddle(text: string, keep: number): Shortened {
  const gap = text.indexOf('…');
  if (text.length <= 2 * keep + 1) return { text, shortened: gap >= 0 };
  const head = boundaryBefore(text, gap < 0 ? keep : Math.min(keep, gap));
  const tail = boundaryAfter(text, gap < 0 ? text.length - keep : Math.max(gap + 1, text.length - keep));
  return { text: `${text.slice(0, head)}…${text.slice(tail)}`, shortened: true };
}
