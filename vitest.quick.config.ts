import { readdirSync, readFileSync } from 'node:fs'
import { mergeConfig } from 'vitest/config'
import whole from './vitest.config.ts'

/** What starts a process: a server, a command, a worker, a Postgres of its own. */
const starters =
  /\b(startServer|startCli|runCli|startDev|startWorker|startTestWorker|startObjects|openD1Binding|startPostgres|startVerifier|runtimes|spawn|fork|execFile|openShards|openUrls)\b/

const starts = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name.replaceAll('\\', '/')}`)
  .filter((file) => starters.test(readFileSync(file, 'utf8')))

/**
 * What fills tables, waits for deadlines, or makes so many databases or runs that it takes seconds:
 * together they would take as long as all others.
 */
const slow = [
  ...['bootstrap', 'import-faults', 'read-deadline', 'webhook.property'].map((name) => `test/http/${name}.test.ts`),
  ...[
    'adopted-model',
    'adopted-races',
    'coalesce.property',
    'grown-rows',
    'many-scopes-pages',
    'merge.property',
    'plans',
    'session',
    'versions-model',
  ].map((name) => `test/stores/${name}.test.ts`),
  ...['check', 'drafts'].map((name) => `test/stores/migrations/${name}.test.ts`),
]

/** `npm run test:quick`: a store of each dialect and no process but one Postgres, for while one works. */
export default mergeConfig(whole, {
  test: {
    exclude: [...starts, ...slow, 'test/programs/**', 'test/runtime/**'],
    env: { TEST_QUICK: 'yes' },
  },
})
