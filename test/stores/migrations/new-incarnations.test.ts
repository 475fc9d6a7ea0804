import { expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { renewIncarnations } from '../../../src/migrations/new-incarnations.ts'
import { alice, put, sampleSync } from '../../support/sample.ts'
import { schema } from '../../support/schema.ts'
import { storeNames } from '../../support/stores.ts'
import { openEmpty } from './databases.ts'

for (const name of storeNames) {
  it(`P16 gives every scope an incarnation of its own (${name})`, async () => {
    const { store, run, close } = await openEmpty(name)
    await migrate(store, [{ name: '0001_init', statements: createTables(schema, store.dialect.name) }])
    const scopes = Array.from({ length: 2_345 }, (_, n) => `it's "ü" \\ ${n}`)
    const rows = scopes.map((scope, n) => `('${scope.replaceAll("'", "''")}', 'old', ${n}, 0, 0)`)
    await run(
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ${rows.join(', ')}`,
    )
    expect(await renewIncarnations(store)).toBe(2_345)
    const found = (await run('SELECT incarnation, position FROM driftline_scopes')).map(([one, n]) => [one, Number(n)])
    expect(new Set(found.map(([one]) => one)).size).toBe(2_345)
    expect(found.every(([one]) => /^[a-z0-9]{16}$/.test(String(one)))).toBe(true)
    expect(found.map(([, n]) => Number(n)).toSorted((a, b) => a - b)).toEqual(scopes.map((_, n) => n))
    await close()
  })

  it(`P16 tells a client with an older cursor to resync (${name})`, async () => {
    const { store, close } = await openEmpty(name)
    await migrate(store, [{ name: '0001_init', statements: createTables(schema, store.dialect.name) }])
    const sync = sampleSync(store)
    expect(await renewIncarnations(store)).toBe(0)
    await sync.push(alice, { client: 'a', changes: [put('1', 0, 'x')] })
    const { cursor } = await sync.pull(alice)
    expect((await sync.pull(alice, { cursor })).changes).toEqual([])
    expect(await renewIncarnations(store)).toBe(1)
    await expect(sync.pull(alice, { cursor })).rejects.toMatchObject({
      code: 'resync',
      members: { reason: 'restored' },
    })
    expect((await sync.pull(alice)).changes).toHaveLength(1)
    await close()
  })
}

it('says so where the database is another', async () => {
  const { store, close } = await openEmpty('libsql file')
  await expect(renewIncarnations(store)).rejects.toThrow(
    'This database has no readable table driftline_scopes: is DATABASE_URL the one that was restored?',
  )
  await close()
})
