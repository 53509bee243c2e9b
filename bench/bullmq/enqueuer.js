// Enqueues jobs in BullMQ: many at once or one at a time.
//
//   node enqueuer.js redis://HOST:PORT
import { Queue } from 'bullmq';
import { connection, now, obey, say } from './lines.js';

/** Jobs in one call of `addBulk`. */
const CHUNK = 1000;

const [address] = process.argv.slice(2);
const queue = new Queue('noop', { connection: connection(address) });
await queue.waitUntilReady();

await obey({
  async push(count) {
    const begin = now();
    for (let pushed = 0; pushed < Number(count); pushed += CHUNK) {
      const jobs = [];
      for (let number = pushed; number < Math.min(pushed + CHUNK, Number(count)); number += 1) {
        jobs.push({ name: 'noop', data: { number } });
      }
      await queue.addBulk(jobs);
    }
    say({ say: 'pushed', took_us: now() - begin });
  },

  async one() {
    const begin = now();
    await queue.add('noop', { number: 1, sent_us: begin });
    say({ say: 'pushed', took_us: now() - begin });
  },
});

await queue.close();
