import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import { quoted } from '../sql/quoted.ts'
import type { Statement } from '../sql/statement.ts'
import { withDeadline } from '../stores/deadline.ts'
import { pingStore, type Store, StoreFault } from '../stores/store.ts'

/**
 * Fails with a `StoreFault` where a database does not answer, and with the `Problem` schema_behind
 * where it lacks something.
 */
export type CheckHealth = () => Promise<void>

/**
 * For how long an answer is good for others: a crowd of those who ask costs the database one round
 * trip a second.
 */
const freshMs = 1_000

/**
 * Whether every database that is there by itself answers and has what this version needs. Whoever
 * asks has an answer within a few seconds, whatever hangs; meanwhile nobody asks a second time.
 */
export function createHealth({ schema, store }: { readonly schema: Schema; readonly store: Store }): CheckHealth {
  const needed = neededOf(schema)
  let asked: { readonly answer: Promise<void>; readonly at: number; until: number } | undefined

  async function ask(): Promise<void> {
    try {
      await pingStore(store, needed)
    } catch (error) {
      throw error instanceof StoreFault && lacks.test(error.code ?? '') ? schemaBehind(error) : error
    }
  }

  return () => {
    const now = Date.now()
    if (!asked || now < asked.at || now > asked.until) {
      // Whoever asked may be gone before the database has answered, and on Workers the question
      // with them.
      const one = { answer: ask(), at: now, until: now + limits.databaseMsMax }
      asked = one
      const settle = () => {
        one.until = Date.now() + freshMs
      }
      one.answer.then(settle, settle)
    }
    return withDeadline(asked.answer, limits.healthMsMax)
  }
}

/** A table or column that is not there, by the codes of Postgres, SQLite, and libSQL over HTTP. */
const lacks = /^(42P01|42703|SQLITE_ERROR|SQL_\w+)$/

const retryAfterSeconds = 30

function schemaBehind(cause: StoreFault): Problem {
  return new Problem(
    'schema_behind',
    'A database lacks a table or column of this version. Run npx driftline migrate.',
    {
      headers: { 'Retry-After': String(retryAfterSeconds) },
      cause,
    },
  )
}

/**
 * Reads of every table and column, and of no row: a database finds out while it reads the text
 * whether they are there.
 */
function neededOf({ tables }: Schema): readonly Statement[] {
  const columns = Object.entries(driftlineColumns).map(([table, names]) => ({ table, names }))
  for (const { name: table, columns: own } of tables)
    columns.push({ table, names: [...rowColumns, ...own.map(({ name }) => name)] })
  return columns.map(({ table, names }) => ({
    sql: `SELECT ${names.map((name) => `t.${quoted(name)}`).join(', ')} FROM ${quoted(table)} AS t WHERE 1 = 0`,
    params: [],
    reads: true,
  }))
}

const rowColumns = ['scope', 'id', 'updated_at', 'updated_by', 'deleted', 'position', 'created_position']

/**
 * Those of migrations/ddl.ts, which a worker does not need otherwise. A test holds the two
 * together.
 */
export const driftlineColumns: Readonly<Record<string, readonly string[]>> = {
  driftline_scopes: ['scope', 'incarnation', 'position', 'watermark', 'row_bytes'],
  driftline_marks: ['scope', 'position', 'at'],
  driftline_inbox: ['scope', 'source', 'id', 'received_at', 'details', 'outcome'],
  driftline_deliveries: [
    ...['scope', 'endpoint', 'position', 'from_position', 'id'],
    ...['created_at', 'next_at', 'attempts', 'last_error', 'disabled_at'],
  ],
}
