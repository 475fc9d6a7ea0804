import { formatCursor } from '../model/cursor.ts'
import type { Cursor } from '../model/cursor-entry.ts'
import { limits } from '../model/limits.ts'
import type { Principal } from '../model/principal.ts'
import type { Schema } from '../model/table.ts'
import { startFacts } from '../observe/facts.ts'
import type { Store } from '../stores/store.ts'
import { createCountScopes } from '../sync/pull/count.ts'
import { createOperations, type Operations } from '../sync/sync.ts'
import { pullToLines, rowsLine } from '../wire/answer.ts'

export interface ExportOptions {
  readonly store: Store
  /** With the tables that are exported. */
  readonly schema: Schema
  readonly scopes: readonly string[]
  /** Where an earlier export was cut, or null. */
  readonly cursor: Cursor | null
}

/** A part of an export. */
export interface ExportPage {
  /** Lines as `GET /v1/pull` streams them, the last of them a cursor line. */
  readonly text: string
  readonly rows: number
  /** What goes on from here. */
  readonly cursor: string
}

export interface Export {
  /** Rows to come, as they were counted: what is written meanwhile comes too. */
  readonly rows: number
  /** Each page is read when it is asked for, so memory stays flat whatever the number of rows. */
  readonly pages: AsyncGenerator<ExportPage>
}

/**
 * All rows of some scopes, in the lines of a stream: it is the bootstrap of a client that may read
 * them. So rows that were
 * deleted before are not in it, and one that is deleted or written again while it runs has a second
 * line further down,
 * with a greater stamp: whoever takes the lines in their order ends with what the database held at
 * the last of them.
 *
 * @throws Error where a scope was never written: its name is wrong, or the database
 */
export async function startExport({ store, schema, scopes, cursor }: ExportOptions): Promise<Export> {
  const principal: Principal = { subject: '', scopes: new Map(scopes.map((scope) => [scope, 'read'])) }
  const { heads, rows } = await createCountScopes({ schema, store })(principal, cursor, startFacts(), true, 'all')
  for (const [scope, head] of heads) if (!head) throw new Error(`The scope ${scope} was never written to this database`)
  return { rows, pages: readPages(createOperations({ schema, store }).pull, principal, rows, cursor) }
}

async function* readPages(
  pull: Operations['pull'],
  principal: Principal,
  rows: number,
  from: Cursor | null,
): AsyncGenerator<ExportPage> {
  let begin = from ? '' : rowsLine(rows)
  for (let cursor = from, more = true; more; begin = '') {
    const answer = await pull(principal, { cursor, limit: limits.pageRowsMax, columns: 'all' })
    ;({ cursor, more } = answer.page)
    yield { text: begin + pullToLines(answer), rows: answer.page.count, cursor: formatCursor(answer.page.cursor) }
  }
}
