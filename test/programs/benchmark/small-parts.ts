import type { Cells, Statement } from '../../../src/sql/statement.ts'
import type { Store } from '../../../src/stores/store.ts'
import { median } from './measure.ts'
import { createTablesIn, driftline, headers, id, row } from './subject.ts'

interface Times {
  readonly before: number[]
  readonly database: number[]
  readonly behind: number[]
}

/**
 * Prints where the time of a push goes, without HTTP: what is done before the database is asked, what
 * it takes for how many statements, and what comes behind it; and beside that parts by themselves.
 */
export async function sayParts(name: string, store: Store): Promise<void> {
  await createTablesIn(store)
  let [from, until] = [0, 0]
  let sent: readonly Statement[] = []
  const timed: Store = {
    ...store,
    async batch(scope, statements) {
      from = performance.now()
      const results = await store.batch(scope, statements)
      until = performance.now()
      sent = statements
      return results
    },
  }
  const app = driftline(timed)
  let fresh = 0
  for (const [rows, rounds] of [
    [1, 600],
    [1_000, 60],
  ] as const) {
    const times: Times = { before: [], database: [], behind: [] }
    let body = ''
    for (let round = -rounds / 3; round < rounds; round++) {
      const at = (Date.now() - 60_000) * 1000
      const changes = Array.from({ length: rows }, () => {
        const n = fresh++
        return { table: 'todos', op: 'put', id: id(n), at, row: row(n) }
      })
      body = JSON.stringify({ client: 'phone', return: 'lost', changes })
      const began = performance.now()
      const init = { method: 'POST', body, headers: { ...headers, 'Content-Type': 'application/json' } }
      await (await app.request('/v1/push', init)).text()
      if (round < 0) continue
      times.before.push(from - began)
      times.database.push(until - from)
      times.behind.push(performance.now() - until)
    }
    const ms = (values: readonly number[]) => `${median(values).toFixed(2)} ms`
    const parse = await timeOf(rounds, () => JSON.parse(body))
    const [lock] = sent
    const commit = await timeOf(rounds, () => store.batch('alice', lock ? [lock] : []))
    const read = await timeOf(rounds, () => store.batch('alice', [{ sql: 'SELECT 1', params: [], reads: true }]))
    console.log(
      `       ${name}: a push of ${rows.toLocaleString('en')}: before the database ${ms(times.before)} (JSON.parse alone ${ms(parse)}), in it ${ms(times.database)} for ${sent.length} statements and one commit (its lock and the commit alone ${ms(commit)}, a SELECT 1 ${ms(read)}), behind it ${ms(times.behind)}`,
    )
  }
}

async function timeOf(times: number, work: () => Promise<Cells[][]> | unknown): Promise<number[]> {
  const all: number[] = []
  for (let time = 0; time < times; time++) {
    const began = performance.now()
    await work()
    all.push(performance.now() - began)
  }
  return all
}
