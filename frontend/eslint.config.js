import js from '@eslint/js';
import query from '@tanstack/eslint-plugin-query';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'src/api/schema.gen.ts', 'playwright-report', 'test-results'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
      hooks.configs.flat['recommended-latest'],
      query.configs['flat/recommended'],
    ],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { project: ['./tsconfig.app.json', './tsconfig.node.json'], tsconfigRootDir: import.meta.dirname } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // The router throws redirects and "not found" objects by design.
      '@typescript-eslint/only-throw-error': 'off',
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-restricted-paths': [
        'error',
        {
          zones: [
            // One way: pages -> {components, api}.
            { target: './src/components', from: './src/pages' },
            { target: './src/components', from: './src/api', except: ['./types.ts'] },
            { target: './src/api', from: ['./src/pages', './src/components'] },
            { target: ['./src/pages', './src/components', './src/api'], from: './src/router.tsx' },
          ],
        },
      ],
    },
  },
  {
    // What only tests may import.
    files: ['src/**/*.{ts,tsx}'],
    ignores: ['src/testing/**', 'src/**/*.test.{ts,tsx}'],
    rules: {
      'no-restricted-imports': ['error', { patterns: ['**/testing/*', 'msw', '@testing-library/*'] }],
    },
  },
  {
    files: ['*.config.{ts,js}', 'src/pages/**/*.tsx'],
    rules: { 'import-x/no-default-export': 'off' },
  },
  {
    // The router's types reach the pages; a page whose own type is written out closes no circle.
    files: ['src/pages/*.tsx'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'error' },
  },
  { files: ['*.config.js', 'scripts/*.js', 'lighthouse/*.js'], languageOptions: { globals: globals.node } },
  { files: ['public/**/*.js'], languageOptions: { globals: globals.browser, sourceType: 'script' } },
);
