/** An API that the tests start and kill themselves, behind an nginx that stays. `cargo xtask test` says how. */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { expect } from '@playwright/test';

const PREFIX = 'SPIRAL_E2E_MORTAL_';

const { SPIRAL_E2E_MORTAL_URL: url, SPIRAL_E2E_MORTAL_PROGRAM: program, SPIRAL_E2E_MORTAL_LOG: log } = process.env;

/** Where nginx is; undefined without `cargo xtask test`. */
export const mortalUrl = url;

/** What it is told: its addresses, and nothing of what these tests are told. */
function settings(): Record<string, string> {
  const own = Object.entries(process.env).flatMap(([name, value]) =>
    name.startsWith(`${PREFIX}SPIRAL_`) && value !== undefined ? [[name.slice(PREFIX.length), value]] : [],
  );
  return Object.fromEntries([['PATH', process.env.PATH ?? ''], ...own]) as Record<string, string>;
}

export class MortalApi {
  private process: ChildProcess | null = null;

  /** Starts it and waits until it says through nginx that it is ready. */
  async start(): Promise<void> {
    if (program === undefined) throw new Error('`cargo xtask test e2e` says which program the API is');
    const to = log === undefined ? 'ignore' : openSync(log, 'a');
    // In the group of the tests, so that it ends with them whatever happens.
    this.process = spawn(program, { env: settings(), stdio: ['ignore', to, to] });
    await expect.poll(() => this.status(), { timeout: 120_000 }).toBe(200);
  }

  /** `kill -9`: nothing is finished, nobody is told. */
  async kill(): Promise<void> {
    const running = this.process;
    this.process = null;
    if (running === null) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await ended;
  }

  private async status(): Promise<number> {
    const answer = await fetch(`${url ?? ''}/api/readyz`).catch(() => null);
    return answer?.status ?? 0;
  }
}
