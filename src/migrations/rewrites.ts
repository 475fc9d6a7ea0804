import type { Schema, Table } from '../model/table.ts'
import type { Statement } from '../sql/statement.ts'
import type { Store } from '../stores/store.ts'
import type { DialectName } from './ddl.ts'

/**
 * A sentence for each table with triggers that may change what is sent, where the schema does not
 * say so: under `"return": "lost"` a writer would not hear of it. Advice and no fault: what a
 * trigger does is its own affair, and one that only refuses rows is as good as none. One round
 * trip.
 *
 * Defaults change nothing that is sent, for each row names all columns; and a generated column
 * takes no value, which `check` says.
 */
export async function adviseOnRewrites(store: Store, schema: Schema): Promise<string[]> {
  const tables = schema.tables.filter(({ rewrites }) => !rewrites)
  const [rows = []] = await store.batch('', [readTriggers(store.dialect.name, tables)])
  const found = rows.map(([table, trigger, kind, language, body]) => ({
    table: String(table),
    trigger: String(trigger),
    rewrites: mayRewrite(String(table), String(kind), String(language), String(body ?? '')),
  }))
  return tables.flatMap(({ name }) => {
    const triggers = found.filter(({ table, rewrites }) => table === name && rewrites).map(({ trigger }) => trigger)
    if (triggers.length === 0) return []
    const what = triggers.length === 1 ? `the trigger ${triggers[0]}` : `the triggers ${triggers.join(', ')}`
    return [
      `Mind that ${what} of ${name} may change what is sent, which its writers are not always told: declare rewrites: ['${name}'] in the options of defineSchema, and they get what is stored.`,
    ]
  })
}

const readTriggers = (dialect: DialectName, tables: readonly Table[]): Statement => ({
  sql: queries[dialect],
  params: [JSON.stringify(tables.map(({ name }) => name))],
  reads: true,
})

/**
 * [names as JSON] → table, trigger, `changes` where it can change the row before it is stored or
 * else `beside`, its language, its text. Those that keep constraints are Postgres's own, and a
 * deferred one of a user's comes after the row.
 */
const queries: { readonly [name in DialectName]: string } = {
  postgres: `SELECT n.name, t.tgname, CASE WHEN t.tgtype & 3 = 3 THEN 'changes' ELSE 'beside' END, l.lanname, p.prosrc
FROM json_array_elements_text($1::json) AS n (name)
JOIN pg_trigger AS t ON t.tgrelid = to_regclass(quote_ident(n.name)) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 20 <> 0
JOIN pg_proc AS p ON p.oid = t.tgfoid JOIN pg_language AS l ON l.oid = p.prolang
ORDER BY n.name, t.tgname`,
  sqlite: `SELECT n.value, t.name, 'beside', 'sql', t.sql
FROM json_each(?1) AS n JOIN sqlite_schema AS t ON t.type = 'trigger' AND lower(t.tbl_name) = n.value
ORDER BY n.value, t.name`,
}

/**
 * Whether the text of a trigger can lead to another row than was sent. Where that cannot be told it
 * may.
 */
export function mayRewrite(table: string, kind: string, language: string, text: string): boolean {
  const code = withoutTexts(text)
  // Without the schema's name, and in whatever quotes.
  const writes = new RegExp(
    `\\b(?:update|into)\\s+(?:or\\s+\\w+\\s+)?(?:only\\s+)?(?:[\\w"\`[\\]]+\\.)?["\`[]?${table}\\b`,
    'i',
  )
  const may = writes.test(code) || (language !== 'sql' && /\bexecute\b/i.test(code))
  if (kind !== 'changes') return may
  if (language !== 'plpgsql') return true
  const assigns = /(:=|\binto\b|(?:^|;|\bbegin|\bthen|\belse|\bloop)\s*new\b[^;]*?=)/i
  const returns = [...code.matchAll(/\breturn\b\s*([^;]*);/gi)].map(([, what = '']) => what.trim().toLowerCase())
  return may || assigns.test(code) || returns.some((what) => what !== 'new' && what !== 'null')
}

/** Comments and texts in quotes say nothing of what is done. */
const withoutTexts = (code: string) => code.replace(/--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/g, ' ')
