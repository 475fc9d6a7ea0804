// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sources' own templates are searched and replaced
/**
 * Bugs that a sync server can have and driftline must not: each is a change of its text that the
 * tests must catch.
 */

import { adoptedMutants } from './adopted.ts'
import { mergeMutants } from './merging.ts'
import type { Edit, Mutant } from './mutant.ts'
import { refusalMutants } from './refusals.ts'
import { versionMutants } from './versions.ts'

const rowGuard = '(stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by)'
const sqliteGuard = `const guard = '${rowGuard}'`
const inOneEdit = (file: string, search: string, replace: string): readonly Edit[] => [{ file, search, replace }]

/** Deletes for good what a statement list has marked as deleted. */
const removing = (condition: string) =>
  inOneEdit(
    'src/sync/push/plan-table.ts',
    '  return plan\n}\n',
    `  const gone = 'DELETE FROM "' + sql.table.name + '" WHERE scope = ' + dialect.param(1) + ' AND ${condition}'
  return [...plan, { sql: gone, params: [scope], role: { kind: 'guard' } }]\n}\n`,
  )

/** Phones of the model have three scopes at the most, which are read by one batch. */
const manyScopes = (title: string) => ({
  ...({ file: 'test/stores/many-scopes.test.ts', title, alone: true } as const),
  why: 'its phones have few scopes',
})

const manyPages = (title: string) => ({
  ...manyScopes(title),
  file: 'test/stores/many-scopes-pages.test.ts',
})

const importTest = { file: 'test/stores/bulk/import.test.ts', why: 'phones import nothing' }

/**
 * Takes the positions in a transaction of its own; \`rewrite\` is what the rest then makes of them.
 */
const takingPositionsFirst = (rewrite: string) =>
  inOneEdit(
    'src/stores/postgres/pool.ts',
    'return await runOnce(link, statements)',
    `const [first, ...rest] = statements
        if (rest.length === 0 || !first.sql.startsWith('INSERT INTO driftline_scopes'))
          return await runOnce(link, statements)
        const gates = rest[0].sql.includes('driftline_resync') ? [rest.shift()] : []
        const begun = await runOnce(link, [first, ...gates])
        const taken = String(begun[0][0][1])
        return [...begun, ...(await runOnce(link, rest.map((one) => ({ ...one, sql: ${rewrite} }))))]`,
  )

export const mutants: readonly Mutant[] = [
  {
    name: '>= for > on Postgres: a replay wins again',
    store: 'postgres',
    edits: inOneEdit('src/sql/bulk-sql.ts', `WHERE ${rowGuard}`, `WHERE ${rowGuard.replace('<', '<=')}`),
  },
  {
    name: '>= for > on SQLite',
    store: 'libsql file',
    edits: inOneEdit('src/sql/sqlite/dialect.ts', sqliteGuard, sqliteGuard.replace('<', '<=')),
  },
  {
    name: 'no tie-break: of two equal times the first wins',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sql/sqlite/dialect.ts',
      sqliteGuard,
      "const guard = '(stored$.updated_at < excluded.updated_at)'",
    ),
  },
  {
    name: 'tie-break by the order of a language',
    store: 'postgres',
    edits: inOneEdit('src/migrations/ddl.ts', `' COLLATE "C"' : ''`, `' COLLATE "und-x-icu"' : ''`),
  },
  {
    name: 'position from a sequence: taken early, kept whenever the commit comes',
    store: 'postgres',
    edits: takingPositionsFirst(
      `one.sql.replaceAll(/\\(SELECT position - \\$3( AS base\\$)? FROM driftline_scopes WHERE scope = \\$1\\)/g, (_, name = '') => '(SELECT ' + taken + ' - $3::bigint' + name + ')')`,
    ),
  },
  { name: 'no scope lock', store: 'postgres', edits: takingPositionsFirst('one.sql') },
  {
    name: 'cursor ahead of the rows: it skips what the page had no room for',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/pull/join-pages.ts',
      'const position = more ? last : head.position',
      'const position = head.position',
    ),
  },
  {
    name: 'cursor from a push: a sync that writes has read everything',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/push/push.ts',
      '...pushed.flatMap((one) => [...one.pages])',
      '...pushed.flatMap((one) => [...one.pages].map(([scope, page]) => [scope, page && { ...page, more: false }] as const))',
    ),
  },
  { name: 'hard delete', store: 'libsql file', edits: removing('deleted') },
  {
    name: 'no tombstone for an unknown id',
    store: 'libsql file',
    edits: removing('deleted AND created_position = position'),
  },
  {
    name: "losers read in the upsert's statement",
    store: 'postgres',
    edits: [
      {
        file: 'src/sql/table-sql.ts',
        search: '= rowFields,\n  ) => `${into}',
        replace:
          '= rowFields,\n  ) => `${dialect.returnsLosers || returned !== "all" ? "" : `WITH w (${Array.from({ length: resultCells(table) + dialect.row(table).length }, (_, n) => `w${n}`).join(", ")}) AS (`}${into}',
      },
      {
        file: 'src/sql/table-sql.ts',
        search: "{ beyond: basePosition(scope, n) } : 'all', ruled ? 'all' : returned)}`}`",
        replace:
          "{ beyond: basePosition(scope, n) } : 'all', ruled ? 'all' : returned)}${dialect.returnsLosers || returned !== 'all' ? '' : `) SELECT * FROM w UNION ALL SELECT ${resultLine(dialect, table, 'none', 'all')} FROM ${target} AS t WHERE scope = ${scope} AND id = ANY($4::text[]) AND id NOT IN (SELECT w4 FROM w)`}`}`",
      },
      {
        file: 'src/sync/push/plan-table.ts',
        search: 'const unseen = dialect.returnsLosers ?',
        replace: "const unseen = dialect.returnsLosers || (!options.inbox && options.return === 'all') ?",
      },
    ],
    race: {
      file: 'test/stores/races.test.ts',
      why: 'the scope lock orders all of driftline, so only a writer beside it can come between',
    },
  },
  {
    name: 'duplicates not coalesced',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/push/coalesce.ts',
      "const keyOf = ({ table, id }: Pick<Change, 'table' | 'id'>): string => `${table.name}\\n${id}`",
      'const keyOf = ({ table, id, index }: Change): string => `${table.name}\\n${id}\\n${index}`',
    ),
  },
  {
    name: "a driver's error taken for a rejection, on Postgres",
    store: 'postgres',
    edits: inOneEdit(
      'src/sql/postgres/state-kind.ts',
      "if (transientStates.test(code)) return 'transient'",
      "if (transientStates.test(code)) return 'refused'",
    ),
  },
  {
    name: "a driver's error taken for a rejection, on SQLite",
    store: 'libsql file',
    edits: inOneEdit(
      'src/stores/fault.ts',
      "if (transientCodes.test(code)) return new StoreFault('transient', more)",
      "if (transientCodes.test(code)) return new StoreFault('refused', more)",
    ),
  },
  {
    name: 'acknowledged before the commit, which a restart then forgets',
    store: 'libsql file',
    edits: [
      {
        file: 'src/stores/libsql/writer.ts',
        search: "to.command('COMMIT')\n  return results",
        replace: `const commit = () => to.inTransaction && to.command('COMMIT')
  if (statements[0].sql.startsWith('INSERT INTO driftline_scopes')) setTimeout(commit, 100).unref()
  else commit()
  return results`,
      },
      {
        file: 'src/stores/libsql/writer.ts',
        search: "connection.command('BEGIN IMMEDIATE')",
        replace:
          "if (connection.inTransaction) connection.command('COMMIT')\n        connection.command('BEGIN IMMEDIATE')",
      },
      {
        file: 'src/stores/libsql/connection.ts',
        search: 'return database.inTransaction',
        replace: 'return database.open && database.inTransaction',
      },
      {
        file: 'src/stores/libsql/connection.ts',
        search: 'if (!database.open) return\n',
        replace: "if (!database.open) return\n      if (database.inTransaction) database.exec('ROLLBACK')\n",
      },
    ],
  },
  {
    name: 'scope taken from the body',
    store: 'libsql file',
    edits: inOneEdit('src/sync/push/authorize.ts', "principal.scopes.get(scope) === 'write' ?", 'true ?'),
  },
  {
    name: 'prune without a watermark',
    store: 'libsql file',
    edits: inOneEdit(
      'src/prune/scopes.ts',
      '{ sql: sql.raise, params: [scope, highest ?? 0] }',
      '{ sql: sql.raise, params: [scope, 0] }',
    ),
  },
  {
    name: 'NULL stamp let in',
    store: 'libsql file',
    edits: [
      {
        file: 'src/model/change.ts',
        search: 'if (!isSafeInteger(at)) return',
        replace: 'if (at === null) return undefined\n  if (!isSafeInteger(at)) return',
      },
      {
        file: 'src/migrations/ddl.ts',
        search: '...rowColumns.map((column) => `${systemColumn(column, dialect)} NOT NULL`),',
        replace:
          "...rowColumns.map((column) => `${systemColumn(column, dialect)}${JSON.stringify(column).includes('updated_at') ? '' : ' NOT NULL'}`),",
      },
    ],
  },
  {
    name: 'a replay moves the position',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sql/sqlite/dialect.ts',
      '`${column} = CASE WHEN ${guard} THEN',
      "`${column} = CASE WHEN ${column === 'position' ? guard.replace('<', '<=') : guard} THEN",
    ),
  },
  {
    name: 'a patch revives a tombstone',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sql/table-sql.ts',
      'WHERE NOT found$.deleted${guard}${free((column)',
      'WHERE true${guard}${free((column)',
    ),
  },
  {
    name: 'a push is not held against its cursor',
    store: 'libsql file',
    edits: inOneEdit('src/sync/push/plan.ts', 'if (options.entry) {', 'if (options.entry && false) {'),
  },
  {
    name: 'a row that is deleted between two pages of a bootstrap stays',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/pull/join-pages.ts',
      'const start = entry ? entry.start : head.position',
      'const start = entry && entry.start === 0 ? 0 : head.position',
    ),
  },
  {
    name: 'the bootstrap of a scope that waits begins with its first row',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/pull/join-pages.ts',
      'cursor.set(scope, entry ?? { ...begin(page?.head), known })',
      'if (entry) cursor.set(scope, entry)',
    ),
  },
  {
    name: 'no bound on stamps',
    store: 'libsql file',
    edits: inOneEdit(
      'src/model/change.ts',
      'if (at <= now + clockDriftMsMax * 1000) return undefined',
      'if (now + clockDriftMsMax > 0) return undefined',
    ),
  },
  {
    name: 'scopes that were revoked are not named',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/pull/join-scopes.ts',
      'return [...(cursor?.keys() ?? [])].filter((scope) => !scopes.has(scope))',
      'return []',
    ),
  },
  {
    name: 'an import takes what is newer for settled, where it looks before it writes',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sql/bulk-sql.ts',
      'OR (found$.updated_at, found$.updated_by) < (sent$.at$, sent$.by$)',
      'OR false',
    ),
    race: importTest,
  },
  {
    name: 'an import counts by what it saw before the chunk before was written',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/push/import-looks.ts',
      'before && before.applied > 0 ? await lookAt(call, client, changes, look) : await early',
      'await early',
    ),
    race: importTest,
  },
  {
    name: 'an import writes the lines of others in its own name',
    store: 'libsql file',
    edits: inOneEdit('src/sync/push/plan-bulk.ts', 'change.by ?? client,', 'client,'),
    race: importTest,
  },
  {
    name: 'many scopes: a push is not held against the cursor of those that it does not write',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/pull/plan-reads.ts',
      'if (rows.length === 0) return []',
      'if (rows.length >= 0) return []',
    ),
    race: manyScopes('libsql file .*whose cursor must resync for a scope that it does not write'),
  },
  {
    name: 'many scopes: one that was read in part, or had no room, is passed over',
    store: 'libsql file',
    edits: inOneEdit('src/sql/scope-pages.ts', 'cut < head.position - one.n', 'cut < 0'),
    race: manyScopes('each page is that of the scopes read one by one'),
  },
  {
    name: 'many scopes: their rows are bounded by their number alone',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sql/reach-sql.ts',
      '(total$ <= ${bytesLeft} OR number$ = 1 AND ${bytesLeft} = ${bytesMax})',
      '1 = 1',
    ),
    race: manyPages('libsql file .*the database itself ends a pull'),
  },
  {
    name: 'many scopes: each that is written by itself reads as much as all may',
    store: 'postgres',
    edits: inOneEdit('src/sync/pull/read-scopes.ts', 'rows > 0 && bytes > 0 ? rows : 0', 'Math.max(rows, 1_000)'),
    race: manyPages('on postgres .*and a sync, whether'),
  },
  {
    name: 'many scopes: a sync pulls what it wrote itself',
    store: 'libsql file',
    edits: inOneEdit('src/sync/push/beside.ts', 'n: taken.get(one.scope) ?? 0', 'n: 0'),
    race: manyScopes('libsql file .*a sync writes one scope and reads the others'),
  },
  {
    name: 'many scopes: one that was put back at the same position is not noticed',
    store: 'postgres',
    edits: inOneEdit(
      'src/sql/postgres/pages.ts',
      'scope$.incarnation = sent$.incarnation$ AND scope$.position =',
      'scope$.position =',
    ),
    race: manyScopes('on postgres .*must resync is found among all'),
  },
  {
    name: 'many scopes: those that are read are not in the order of the token',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sql/reach-sql.ts',
      'row_number() OVER (ORDER BY place$)',
      'row_number() OVER (ORDER BY place$ DESC)',
    ),
    race: manyScopes('libsql file .*each page is that of the scopes read one by one'),
  },
  {
    name: 'many scopes: what an import wrote of a client is taken for what it wrote in bulk',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/push/import-place.ts',
      'done.get(scope)?.set(client, one)',
      'done.get(scope)?.set(undefined, one)',
    ),
    race: manyScopes('libsql file .*a chunk of an import'),
  },
  {
    name: 'many scopes: what is refused of one is told to all',
    store: 'libsql file',
    edits: inOneEdit(
      'src/sync/push/attempt.ts',
      '(isRefusal(fault) || isSuspect(fault))) return undefined',
      'false) return undefined',
    ),
    race: manyScopes('libsql file .*what is refused of one harms no other'),
  },
  {
    name: 'many scopes: a scope without a home is written where the others live',
    store: 'libsql file',
    edits: inOneEdit('src/stores/shards/sharded.ts', '?? ` ${scope}`', "?? ''"),
    race: {
      file: 'test/stores/stores.test.ts',
      title: 'three Postgres shards .*lays several scopes into one page',
      why: 'it has no shards',
      alone: true,
    },
  },
  ...refusalMutants,
  ...versionMutants,
  ...mergeMutants,
  ...adoptedMutants,
]
