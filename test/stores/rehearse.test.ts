import { join } from 'node:path'
import Database from 'libsql'
import { expect, it } from 'vitest'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { rehearseSuite } from '../suites/rehearse-suite.ts'
import { openFilePerScope } from '../support/many.ts'
import { temporaryFolder } from '../support/temporary.ts'

async function openFile(batchMsMax = 10_000) {
  const { folder, drop } = await temporaryFolder()
  const path = join(folder, 'a.db')
  const store = await libsqlFileStore(`file:${path}`, { batchMsMax })
  return {
    store,
    path,
    async close() {
      await store.close()
      await drop()
    },
  }
}

rehearseSuite('a file', openFile)
rehearseSuite('a file for each scope', openFilePerScope)

it('P13 a rehearsal ends at its deadline with a passing fault, keeps nothing, and the file goes on', async () => {
  const { store, close } = await openFile(200)
  await store.batch('', [{ sql: 'CREATE TABLE t (a)', params: [] }])
  const slow = {
    sql: 'INSERT INTO t WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000) SELECT count(*) FROM n',
    params: [],
  }
  const groups = Array.from({ length: 10_000 }, () => [slow])
  await expect(store.rehearse?.('', { opening: [], groups, closing: [] })).rejects.toMatchObject({ kind: 'transient' })
  const count = [{ sql: 'SELECT count(*) FROM t', params: [] }]
  expect(await store.batch('', count)).toEqual([[[0]]])
  await store.batch('', [{ sql: 'INSERT INTO t VALUES (1)', params: [] }])
  expect(await store.batch('', count)).toEqual([[[1]]])
  await close()
})

it('P13 a rehearsal that does not get the lock of another process fails with a passing fault', async () => {
  const { store, path, close } = await openFile(50)
  const other = new Database(path)
  other.exec('BEGIN IMMEDIATE')
  const rehearsal = { opening: [], groups: [[{ sql: 'SELECT 1', params: [] }]], closing: [] }
  await expect(store.rehearse?.('', rehearsal)).rejects.toMatchObject({ kind: 'transient', code: 'SQLITE_BUSY' })
  other.exec('COMMIT')
  expect(await store.rehearse?.('', rehearsal)).toEqual({ faults: [undefined], closing: [] })
  other.close()
  await close()
})
