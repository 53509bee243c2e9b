import { defineConfig } from '@playwright/test';

// `cargo xtask test` starts the whole of Spiral and says where it is.
export default defineConfig({
  testDir: 'e2e',
  // One after another: they share one Spiral, and its list of latest jobs is short.
  workers: 1,
  forbidOnly: process.env.CI !== undefined,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env.SPIRAL_E2E_URL ?? 'http://127.0.0.1:8080',
    viewport: { width: 1280, height: 900 },
    trace: 'retain-on-failure',
    launchOptions: {
      // The system's own browser: none is ever downloaded.
      executablePath: process.env.SPIRAL_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
