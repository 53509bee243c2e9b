/** Workers in words. Pure. */
import type { Worker } from '../../api/types';
import { formatNumber } from '../../components/numbers';

/** "3 alive, 1 lost". */
export function workersText(workers: readonly Worker[]): string {
  const alive = workers.filter((worker) => worker.alive).length;
  const lost = workers.length - alive;
  return `${formatNumber(alive)} alive${lost === 0 ? '' : `, ${formatNumber(lost)} lost`}`;
}

const MEBIBYTE = 1024 * 1024;

export function memoryText(bytes: number): string {
  const mebibytes = bytes / MEBIBYTE;
  return mebibytes < 10 ? `${mebibytes.toFixed(1)} MiB` : `${formatNumber(Math.round(mebibytes))} MiB`;
}
