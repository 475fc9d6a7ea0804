import type { Statement } from '../sql/statement.ts'
import { type Store, StoreFault } from '../stores/store.ts'
import { homeFaults, homeSql } from './home.ts'
import type { Migration } from './migration.ts'
import { isOwn } from './own.ts'

/**
 * Applies the migrations that the database has not recorded, in order, and gives their names. Each
 * is one batch, so whole or not at all, and its first statement records it: of two processes that
 * start together the second waits at that key, fails, and then finds the migration recorded. That
 * needs no advisory lock, which neither Neon over HTTP nor Turso could hold. One round trip where
 * there is nothing to do, else one more for each migration.
 *
 * What the database has recorded and this list does not hold is a newer server's, and no fault.
 * Throws an `Error` with a sentence, a `TypeError` where the migrations are wrong before any is
 * tried. `now` is in milliseconds.
 */
export async function migrate(
  store: Store,
  migrations: readonly Migration[],
  now: () => number = Date.now,
): Promise<string[]> {
  checkMigrations(migrations)
  let recorded = await readRecorded(store).catch((fault: unknown) => createRecord(store, fault))
  const applied: string[] = []
  for (const migration of migrations) {
    if (recorded.has(migration.name)) continue
    checkNumber(migration, recorded)
    const rivals = await applyOne(store, migration, now)
    if (rivals) recorded = rivals
    else applied.push(migration.name)
  }
  return applied
}

/** Applies one migration, or gives what is recorded where another process was faster. */
async function applyOne(
  store: Store,
  { name, statements }: Migration,
  now: () => number,
): Promise<Set<string> | undefined> {
  const { param } = store.dialect
  const record = `INSERT INTO driftline_migrations (name, applied_at) VALUES (${param(1)}, ${param(2)})`
  const batch: Statement[] = [
    { sql: record, params: [name, now() * 1000] },
    ...statements.map((sql) => ({ sql, params: [] })),
  ]
  for (let tries = 1; ; tries++) {
    try {
      await store.batch('', batch)
      return undefined
    } catch (fault) {
      // Also finds what a connection that was lost at the commit has applied after all.
      const recorded = await readRecorded(store).catch(() => undefined)
      if (recorded?.has(name)) return recorded
      const passing = fault instanceof StoreFault && (fault.kind === 'conflict' || fault.kind === 'transient')
      if (!passing) throw failure(`The migration ${name} failed, and nothing of it was applied`, fault)
      // A rival may hold the key for longer than one batch may wait.
      if (tries === 3) throw failure(`The migration ${name} did not come to its end; run it again`, fault)
    }
  }
}

async function readRecorded(store: Store): Promise<Set<string>> {
  const [rows = []] = await store.batch('', [{ sql: 'SELECT name FROM driftline_migrations', params: [], reads: true }])
  return new Set(rows.map(([name]) => String(name)))
}

/**
 * Types that both databases understand, so that one statement serves. `applied_at` is in
 * microseconds since 1970.
 */
const recordTable = `CREATE TABLE IF NOT EXISTS driftline_migrations (
  name text NOT NULL PRIMARY KEY,
  applied_at bigint NOT NULL
)`

/**
 * Begins the record where it could not be read, if that is because it is not there. Not before each
 * start: a server whose database is up to date needs no right to create tables.
 */
async function createRecord(store: Store, fault: unknown): Promise<Set<string>> {
  if (!(fault instanceof StoreFault) || fault.kind !== 'broken') throw fault
  const found =
    store.dialect.name === 'postgres' ? await store.batch('', [{ sql: homeSql, params: [], reads: true }]) : []
  const [homeless] = homeFaults(found[0] ?? [])
  if (homeless !== undefined) throw new TypeError(homeless)
  try {
    await store.batch('', [{ sql: recordTable, params: [] }])
  } catch (error) {
    // Where two processes create it at once Postgres fails one, in spite of IF NOT EXISTS, and the
    // table is there.
    return readRecorded(store).catch(() => {
      throw error
    })
  }
  return readRecorded(store)
}

function checkMigrations(migrations: readonly Migration[]): void {
  const ofApp = migrations.filter(({ name }) => !isOwn(name))
  for (const [place, { name, statements }] of ofApp.entries()) {
    const before = ofApp[place - 1]?.name ?? ''
    if (numberOf(before) === numberOf(name)) {
      throw new TypeError(`${before} and ${name} have one number: rename one to the next free one, for both dialects`)
    }
    if (numberOf(before) > numberOf(name)) throw new TypeError(`${name} must come before ${before}, by its number`)
    const own = statements.find((sql) => transactionPattern.test(sql))
    if (own !== undefined) {
      throw new TypeError(`${name} must not hold ${own.split(/\s/)[0]}: a migration is one transaction by itself`)
    }
  }
}

const transactionPattern = /^(begin|start\s+transaction|commit|end|rollback|abort)\b/i

/**
 * The same number with another name: two branches wrote one each, and their order is anyone's
 * guess.
 */
function checkNumber({ name }: Migration, recorded: ReadonlySet<string>): void {
  if (isOwn(name)) return
  const other = [...recorded].find((one) => !isOwn(one) && numberOf(one) === numberOf(name))
  if (other === undefined) return
  throw new TypeError(
    `The database has applied ${other}, and here ${name} has its number: rename it to the next free one, for both dialects`,
  )
}

const numberOf = (name: string) => name.slice(0, 4)

function failure(what: string, fault: unknown): Error {
  return new Error(`${what}: ${fault instanceof Error ? fault.message : fault}`, { cause: fault })
}
