/** Long values on one line: both ends stay, the middle goes. */

export interface Shortened {
  readonly text: string;
  readonly shortened: boolean;
}

/** At most `2 * keep + 1` characters. A text that the server has shortened already is cut at its own gap. */
export function shortenMiddle(text: string, keep: number): Shortened {
  const gap = text.indexOf('…');
  if (text.length <= 2 * keep + 1) return { text, shortened: gap >= 0 };
  const head = gap < 0 ? text.slice(0, keep) : text.slice(0, Math.min(keep, gap));
  const tail = gap < 0 ? text.slice(-keep) : text.slice(Math.max(gap + 1, text.length - keep));
  return { text: `${head}…${tail}`, shortened: true };
}
