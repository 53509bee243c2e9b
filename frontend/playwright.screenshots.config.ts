import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

// Pictures of every page, for the eye; nothing is compared. `npm run screenshots` with a Spiral at SPIRAL_E2E_URL, or
// `cargo xtask test e2e -- --config playwright.screenshots.config.ts`.
export default defineConfig({
  ...tests,
  testMatch: 'screenshots.ts',
  timeout: 300_000,
});
