import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

// How smoothly the jobs page runs under load: figures for the README. `cargo xtask bench frames` makes the jobs and runs it.
export default defineConfig({
  ...tests,
  testMatch: 'frames.measure.ts',
  timeout: 600_000,
  use: { ...tests.use, trace: 'off' },
});
