import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { compareTowns, formats, readTowns } from '../../programs/towns/towns.ts'
import { runHere } from '../../support/run-here.ts'
import { noon } from '../../support/sample.ts'
import { dialectStores, openTestStore, temporaryFolder } from '../../support/stores.ts'

it.each(dialectStores)('P2 P7 brings 3,000 real towns into %s and back, every byte of them', async (name) => {
  const { folder, drop } = await temporaryFolder()
  const { store, url, close } = await openTestStore(name)
  try {
    const rows = await readTowns(3_000)
    for (const [scope, { file, options, write }] of Object.entries(formats)) {
      await writeFile(join(folder, file), write(rows))
      const args = ['--table', 'todos', '--scope', scope, '--at', String(noon), ...options, file]
      const { code, out } = await runHere('import', args, { DATABASE_URL: url }, { cwd: folder })
      expect([code, out]).toEqual([0, expect.stringContaining(': 3,000 applied, 0 duplicate, 0 stale, 0 rejected.')])
      await compareTowns(store, scope, rows, noon)
    }
  } finally {
    await close()
    await drop()
  }
})
