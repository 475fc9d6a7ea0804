import { configDefaults, defineConfig } from 'vitest/config'

/**
 * What is tried as somebody has it outside of this repository: the package, packed and installed
 * by npm, other runtimes, the manual's commands in a shell, its pages in a browser, and wrangler
 * dev. `npm run test:outside` runs these, `npm test` all others.
 */
export const outside = [
  'test/http/openapi/runtimes.test.ts',
  ...['dev', 'elsewhere', 'empty', 'manual', 'package', 'pages'].map((name) => `test/runtime/${name}.test.ts`),
]

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...outside],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    maxWorkers: 3,
    isolate: false,
    // wrangler neither asks Cloudflare anything nor writes logs.
    env: { CLOUDFLARE_CF_FETCH_ENABLED: 'false', WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false' },
  },
})
