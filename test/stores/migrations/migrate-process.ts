import { migrate } from '../../../src/migrations/apply.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { openStore } from '../../../src/stores/open.ts'

/**
 * `node migrate-process.ts <url> <directory>`: migrates as a server does, at its start, and prints
 * what it applied.
 */
const [url = '', directory = ''] = process.argv.slice(2)
const store = await openStore(url)
console.log('ready')
process.stdin.once('data', async () => {
  console.log(JSON.stringify(await migrate(store, await readMigrations(store.dialect.name, new URL(directory)))))
  await store.close()
  process.exit()
})
