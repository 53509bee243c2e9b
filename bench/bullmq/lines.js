// How a process of the benchmark talks with the one that measures: an order a line comes in on standard input, a line
// of JSON goes out on standard output.
import { createInterface } from 'node:readline';

/** Tells the measuring process something. */
export function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Carries out orders, one at a time, until there will be no more. */
export async function obey(orders) {
  say({ say: 'ready' });
  for await (const line of createInterface({ input: process.stdin })) {
    const [order, ...words] = line.split(' ');
    await orders[order](...words);
  }
}

/** The clock that all processes of a machine share, in microseconds. */
export function now() {
  return Number(process.hrtime.bigint()) / 1000;
}

/** What ioredis needs to know to reach `redis://host:port`. */
export function connection(address) {
  const { hostname, port } = new URL(address);
  return { host: hostname, port: Number(port) };
}
