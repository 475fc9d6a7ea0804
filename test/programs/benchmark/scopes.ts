import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { startPostgres } from '../../support/postgres.ts'
import { type Figure, inPairs, type Side, wallMs, within } from './measure.ts'
import { benchSecret, createTablesIn, driftline } from './subject.ts'

const pairs = 40
/** Requests of one measurement: a single one takes too little to be told from the machine's moods. */
const times = 20
const rowsOfScope = 10

/** What many scopes of one database cost, beside one. */
export async function scopeFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  await figuresOf('libSQL', await libsqlFileStore(`file:${join(folder, 'a.db')}`), report)
  await rm(folder, { recursive: true, force: true })
  const postgres = await startPostgres()
  try {
    await figuresOf('Postgres', postgresStore(postgres.url), report)
  } finally {
    await postgres.stop()
  }
}

async function figuresOf(name: string, store: Store, report: (figure: Figure) => void): Promise<void> {
  await createTablesIn(store)
  const app = driftline(store)
  const at = Date.now() * 1000
  const put = (scope: string, id: string, later = 0) => ({
    ...{ scope, table: 'todos', op: 'put', id, at: at + later, row: { title: id } },
  })
  const base = { client: 'bench', return: 'lost' }
  const someone = async (count: number) => {
    const scopes = Array.from({ length: count }, (_, n) => `scope${n}`)
    const token = await signToken(benchSecret, { sub: 'scope0', scopes })
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const post = async (path: string, body: object) => {
      const answer = await app.request(path, { method: 'POST', headers, body: JSON.stringify(body) })
      if (answer.status !== 200) throw new Error(`${path}: ${await answer.text()}`)
      return JSON.parse(await answer.text())
    }
    return { scopes, post }
  }
  const all = await someone(500)
  for (const scope of all.scopes) {
    const changes = Array.from({ length: rowsOfScope }, (_, n) => put(scope, `row${n}`))
    await all.post('/v1/push', { ...base, changes })
  }
  const readOf = async (count: number) => {
    const { post } = await someone(count)
    const { cursor } = await post('/v1/pull', { limit: 5_000 })
    return { post, cursor }
  }
  const one = await readOf(1)
  let later = 0
  const repeating = (work: () => Promise<unknown>): Side<undefined> => ({
    prepare: () => undefined,
    async run() {
      for (let time = 0; time < times; time++) await work()
    },
  })
  const polls = ({ post, cursor }: typeof one) => repeating(() => post('/v1/pull', { cursor, limit: 500 }))
  const syncs = ({ post, cursor }: typeof one) =>
    repeating(() => post('/v1/sync', { ...base, changes: [put('scope0', 'mine', ++later)], cursor, limit: 500 }))
  for (const count of [100, 500]) {
    const many = await readOf(count)
    const target = count === 100 ? 3 : 15
    const polled = await inPairs(pairs, wallMs, polls(many), polls(one))
    report(within(`${name}: a pull of ${count} scopes with nothing new, beside that of one`, polled, target))
    const synced = await inPairs(pairs, wallMs, syncs(many), syncs(one))
    report(within(`${name}: a sync that writes one of ${count} scopes, beside that of one`, synced, target))
  }
  await store.close()
}
