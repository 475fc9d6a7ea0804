import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Principal } from '../../../src/model/principal.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import type { Store } from '../../../src/stores/store.ts'
import { createOperations } from '../../../src/sync/sync.ts'
import { startPostgres } from '../../support/postgres.ts'
import { schema } from '../../support/schema.ts'
import { type Figure, inPairs, type Side, wallMs, within } from './measure.ts'
import { createTablesIn } from './subject.ts'

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
  const { push, pull } = createOperations({ schema, store })
  const at = Date.now() * 1000
  const put = (scope: string, id: string, later = 0) => ({
    ...{ scope, table: 'todos', op: 'put', id, at: at + later, row: { title: id } },
  })
  const base = { client: 'bench', atomic: false, return: 'lost' } as const
  const someone = (count: number): Principal => ({
    subject: 'scope0',
    scopes: new Map(Array.from({ length: count }, (_, n) => [`scope${n}`, 'write'])),
  })
  const all = someone(500)
  for (const scope of all.scopes.keys())
    await push(all, { ...base, changes: Array.from({ length: rowsOfScope }, (_, n) => put(scope, `row${n}`)) })
  const readOf = async (who: Principal) => {
    const { page } = await pull(who, { cursor: null, limit: 5_000 })
    return { who, cursor: page.cursor }
  }
  const one = await readOf(someone(1))
  let later = 0
  const polls = ({ who, cursor }: typeof one): Side<undefined> => ({
    prepare: () => undefined,
    async run() {
      for (let time = 0; time < times; time++) await pull(who, { cursor, limit: 500 })
    },
  })
  const syncs = ({ who, cursor }: typeof one): Side<undefined> => ({
    prepare: () => undefined,
    async run() {
      for (let time = 0; time < times; time++)
        await push(who, { ...base, changes: [put('scope0', 'mine', ++later)], cursor, limit: 500 })
    },
  })
  for (const count of [100, 500]) {
    const many = await readOf(someone(count))
    const target = count === 100 ? 3 : 15
    const polled = await inPairs(pairs, wallMs, polls(many), polls(one))
    report(within(`${name}: a pull of ${count} scopes with nothing new, beside that of one`, polled, target))
    const synced = await inPairs(pairs, wallMs, syncs(many), syncs(one))
    report(within(`${name}: a sync that writes one of ${count} scopes, beside that of one`, synced, target))
  }
  await store.close()
}
