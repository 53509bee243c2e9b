import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

// The pictures of the README, made anew: `cargo xtask test e2e -- --config playwright.readme.config.ts`.
export default defineConfig({
  ...tests,
  testMatch: 'readme-pictures.ts',
  timeout: 300_000,
});
