import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { readMigrations } from '../../src/migrations/read.ts'
import { scopeToName } from '../../src/model/scope-name.ts'
import { openAnyStore } from '../../src/runtime/workers/store.ts'
import { startHranaServer } from '../support/hrana-server.ts'
import { sampleMigrations } from '../support/migrations.ts'
import { principal, put, sampleSync } from '../support/sample.ts'
import { temporaryFolder } from '../support/stores.ts'

afterEach(() => vi.unstubAllGlobals())

it('P11 a worker keeps each scope in its own Turso database', async () => {
  const { folder, drop } = await temporaryFolder()
  const scopes = ['alice', 'Alice@acme.example/x']
  const servers = new Map<string, Awaited<ReturnType<typeof startHranaServer>>>()
  for (const scope of scopes) {
    servers.set(`${await scopeToName(scope)}-acme.example`, await startHranaServer(join(folder, `${servers.size}.db`)))
  }
  const asked = new Set<string>()
  const real = globalThis.fetch
  // The name server of this test: *.acme.example has no address.
  vi.stubGlobal('fetch', (input: string, init?: RequestInit) => {
    const url = new URL(input)
    asked.add(url.host)
    return real(new URL(url.pathname, servers.get(url.host)?.url), init)
  })
  const store = await openAnyStore({ DATABASE_URL: 'http://{scope}-acme.example' })
  const sync = sampleSync(store)
  for (const scope of scopes) {
    await migrate(
      { ...store, batch: (_, statements) => store.batch(scope, statements) },
      await readMigrations('sqlite', sampleMigrations),
    )
    await sync.push(principal(scope), { client: 'a', changes: [put('1', 0, scope)] })
  }
  for (const scope of scopes)
    expect((await sync.pull(principal(scope))).changes).toMatchObject([{ row: { title: scope } }])
  expect([...asked].sort()).toEqual([...servers.keys()].sort())
  await expect(sync.pull(principal('nobody'))).rejects.toMatchObject({ kind: 'transient' })
  for (const server of servers.values()) await server.close()
  await drop()
})

it.each([
  ['postgres://a/x postgres://b/x', /one database here/],
  ['https://evil.example/{scope}', /first part of the host/],
  ['file:data/{scope}.db', /no files/],
])('a worker refuses %s with a sentence', async (url, sentence) => {
  await expect(openAnyStore({ DATABASE_URL: url })).rejects.toThrow(sentence)
})
