/** Numbers as people read them. */

const grouped = new Intl.NumberFormat('en');

export function formatNumber(value: number): string {
  return grouped.format(value);
}

export function formatDigits(count: number): string {
  return count === 1 ? '1 digit' : `${formatNumber(count)} digits`;
}

export function formatJobs(count: number): string {
  return count === 1 ? '1 job' : `${formatNumber(count)} jobs`;
}

const LOG10_PHI = 0.208_987_640_249_978_73;
const LOG10_SQRT5 = 0.349_485_002_168_009_4;

/** How many decimal digits the n-th Fibonacci number has, without calculating it. Exact for every index that Spiral takes. */
export function fibonacciDigits(index: number): number {
  if (index < 2) return 1;
  return Math.floor(index * LOG10_PHI - LOG10_SQRT5) + 1;
}

/** The n-th Fibonacci number for small indices (up to 78, where doubles end): what the drawing needs for its sides. */
export function smallFibonacci(index: number): number {
  let [a, b] = [0, 1];
  for (let i = 0; i < index; i += 1) [a, b] = [b, a + b];
  return a;
}
