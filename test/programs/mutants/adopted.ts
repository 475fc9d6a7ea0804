// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sources' own templates are searched and replaced
/** Bugs of tables that are adopted. */
import type { Mutant } from './mutant.ts'

type Texts = readonly (readonly [file: string, search: string, by: string])[]
const tried =
  (file: string) =>
  (name: string, title: string, ...edits: Texts): Mutant => ({
    name: `adopted: ${name}`,
    store: 'libsql file',
    race: { file, title, why: 'its tables are not adopted', alone: true },
    edits: edits.map(([place, search, replace]) => ({ file: place, search, replace })),
  })
const stories = tried('test/stores/adopted.test.ts')
const races = tried('test/stores/adopted-races.test.ts')
const replacing = tried('test/stores/adopted-sqlite.test.ts')

const orders = 'no write of either is lost'

export const adoptedMutants: readonly Mutant[] = [
  stories('a mark is dropped', 'on postgres .*P17 a row that SQL wrote', [
    'src/migrations/adopted/postgres.ts',
    'const matters = `n$.${key} IS NULL OR ${isNew} OR ',
    'const matters = `n$.${key} IS NULL OR ${moved} OR ',
  ]),
  stories('a mark is dropped in SQLite', 'on libsql file .*P17 a row that SQL wrote', [
    'src/migrations/adopted/sqlite.ts',
    'WHEN ${moved} OR ${wide} OR ${narrow} BEGIN',
    'WHEN ${moved} OR ${narrow} BEGIN',
  ]),
  races(
    'settles before it has the lock',
    'settles what a rival holds back',
    [
      'src/sync/adopted/plan-settle.ts',
      '    { sql: settle.lock, params: [scope, incarnation], role, settles: scope },\n',
      '',
    ],
    [
      'src/sync/adopted/plan-settle.ts',
      '    ...(settle.end ?',
      '    { sql: settle.lock, params: [scope, incarnation], role, settles: scope },\n    ...(settle.end ?',
    ],
  ),
  races(
    'a row is deleted where a mark says so',
    orders,
    [
      'src/sql/postgres/settle.ts',
      'AS quiet$ FROM mark$ GROUP BY table_name, id$)',
      "AS quiet$, bool_or(kind$ = 'd') AS marked$ FROM mark$ GROUP BY table_name, id$)",
    ],
    [
      'src/sql/postgres/settle.ts',
      'stored$.deleted AS was$, NOT EXISTS',
      'stored$.deleted AS was$, row$.marked$ OR NOT EXISTS',
    ],
  ),
  races('lines that came late are ignored', 'never overwrites what the app commits', [
    'src/sql/adopted/adopted-sql.ts',
    'AND line$.xid <> pg_current_xact_id() AND',
    'AND line$.xid < pg_current_xact_id() AND false AND',
  ]),
  stories(
    'a cascade is not noted',
    'P17 a cascade of a phone',
    ['src/migrations/adopted/postgres.ts', "= '' OR pg_trigger_depth() > 0)", "= '')"],
    [
      'src/migrations/adopted/sqlite.ts',
      "AND ${deleted ? '' : 'NOT '}own$.deleted WHERE push$.scope",
      'OR push$.scope = ${scopeOf(table, row)} WHERE push$.scope',
    ],
  ),
  stories(
    'triggers note what a push writes itself',
    'what a phone pushes raises no stamp',
    [
      'src/migrations/adopted/postgres.ts',
      "WHEN (coalesce(current_setting('driftline.push', true), '') = '' OR pg_trigger_depth() > 0)",
      'WHEN (pg_trigger_depth() >= 0)',
    ],
    [
      'src/migrations/adopted/postgres.ts',
      'base$ IS NULL OR NOT (${isOwn(table)})',
      'base$ IS NULL OR NOT (false AND ${isOwn(table)})',
    ],
  ),
  stories('triggers of SQLite note what a push writes itself', 'on libsql file .*what a phone pushes raises no stamp', [
    'src/migrations/adopted/sqlite.ts',
    'own$.position > push$.base AND',
    'own$.position < push$.base AND',
  ]),
  stories(
    'a row of another scope is taken',
    'P20 a row of another scope',
    [
      'src/sql/adopted/adopted-sql.ts',
      'const isRow = (row: string) => `${row}.${key} = ${idValue} AND ${spelling.scope(adopted, row)} = ${scope}`',
      'const isRow = (row: string) => `${row}.${key} = ${idValue} AND ${scope} IS NOT NULL`',
    ],
    [
      'src/sql/adopted/adopted-sql.ts',
      'NOT deleted AND app$.key$ IS NULL AS absent$',
      'deleted AND app$.key$ IS NULL AND false AS absent$',
    ],
  ),
  races('a retry settles only what one batch does', 'behind more than one batch', [
    'src/sync/adopted/against-app.ts',
    'if (isBehind) await settleScopes',
    'if (isBehind && conflicts < 0) await settleScopes',
  ]),
  races('a push waits for a row while it holds its scope', 'waits for a slow transaction', [
    'src/sql/postgres/settle.ts',
    'const waitMs = 100',
    'const waitMs = 8_000',
  ]),
  races('settings of a push are taken for numbers', 'as a pooler hands it out', [
    'src/migrations/adopted/postgres.ts',
    "base$ bigint := nullif(current_setting('driftline.push', true), '');",
    "base$ bigint := current_setting('driftline.push', true);",
  ]),
  replacing('what REPLACE removes for another key is not looked up', 'REPLACE by another key', [
    'src/migrations/adopted/sqlite.ts',
    "${adopted.unique.map((columns) => `  ${noteOver(table, columns, `own$.${key} IS NOT NEW.${key}`)};\\n`).join('')}END`",
    'END`',
  ]),
]
