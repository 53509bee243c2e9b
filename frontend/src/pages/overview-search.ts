/** What the address of the overview may carry: the range of its charts. Anything else in it is ignored. */
export const RANGES = {
  '1h': { name: 'Hour', seconds: 3600 },
  '6h': { name: '6 hours', seconds: 6 * 3600 },
  '1d': { name: 'Day', seconds: 24 * 3600 },
  '7d': { name: 'Week', seconds: 7 * 24 * 3600 },
  '30d': { name: 'Month', seconds: 30 * 24 * 3600 },
  '90d': { name: '90 days', seconds: 90 * 24 * 3600 },
} as const;

export type Range = keyof typeof RANGES;

export const RANGE_KEYS = Object.keys(RANGES) as Range[];

export interface OverviewSearch {
  readonly range?: Range;
}

export function parseOverviewSearch(search: Record<string, unknown>): OverviewSearch {
  const range = RANGE_KEYS.find((known) => known === search.range);
  return range === undefined ? {} : { range };
}
