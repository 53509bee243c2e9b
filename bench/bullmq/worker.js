// A BullMQ worker whose jobs do nothing. It begins when it is told to, and keeps nothing of finished jobs.
//
//   node worker.js redis://HOST:PORT CONCURRENCY EXPECTED
//
// It says when EXPECTED jobs have run, and of each job that carries the time of its sending how long after it started.
import { Worker } from 'bullmq';
import { connection, now, obey, say } from './lines.js';

const [address, concurrency, expected] = process.argv.slice(2);
let worker;
let ran = 0;
let before;

async function noop({ data }) {
  const after_us = data.sent_us === undefined ? undefined : now() - data.sent_us;
  ran += 1;
  if (after_us !== undefined) {
    say({ say: 'started', after_us });
  } else if (ran === Number(expected)) {
    say({ say: 'ran' });
  }
}

await obey({
  async go() {
    before = process.cpuUsage();
    worker = new Worker('noop', noop, {
      connection: connection(address),
      concurrency: Number(concurrency),
      removeOnComplete: { count: 0 },
    });
    worker.on('error', (error) => console.error(error));
  },

  async report() {
    const { user, system } = process.cpuUsage(before);
    say({ say: 'report', jobs: ran, cpu_us: user + system });
  },
});

await worker?.close();
