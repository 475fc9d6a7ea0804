import type { AdoptedTable } from '../../model/table.ts'
import { isLong } from '../../model/value.ts'
import { sourceOf } from '../../sql/adopted/spelling.ts'
import { adoptedInPostgres } from '../../sql/postgres/adopted.ts'
import { quoted } from '../../sql/quoted.ts'
import type { Remembered } from './snapshot.ts'

const { app, id, scope, side } = adoptedInPostgres

/** Where a phone pushes, triggers of cascades say who did it. */
const writer = `CASE WHEN current_setting('driftline.client', true) ~ '^[A-Za-z0-9_-]{1,64}$' THEN current_setting('driftline.client', true) ELSE 'sql' END`

/** What all tables that are adopted share. No other role has a right to it. */
export const homeInPostgres: readonly string[] = [
  'CREATE SCHEMA IF NOT EXISTS driftline',
  `CREATE TABLE IF NOT EXISTS driftline.driftline_touched (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  scope text COLLATE "C" NOT NULL,
  table_name text COLLATE "C" NOT NULL,
  at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
  writer text COLLATE "C" NOT NULL DEFAULT ${writer},
  bytes bigint,
  marks text[]
)`,
  'CREATE INDEX IF NOT EXISTS driftline_touched_scope ON driftline.driftline_touched (scope, n)',
  `CREATE OR REPLACE FUNCTION driftline.typed(value text, typed anyelement) RETURNS anyelement LANGUAGE plpgsql STABLE AS $$
BEGIN
  typed := value;
  RETURN typed;
END $$`,
]

const events = ['insert', 'update', 'delete', 'truncate'] as const
const triggerName = (event: string) => `driftline_${event}`
const functionName = ({ name }: Remembered, event: string) => `driftline.${quoted(`${name}_${event}`)}`

export function adoptInPostgres(table: AdoptedTable): string[] {
  const { name, adopted } = table
  return [
    `CREATE TABLE IF NOT EXISTS ${side(table)} (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted boolean NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  PRIMARY KEY (scope, id)
)`,
    `CREATE INDEX IF NOT EXISTS ${quoted(`${name}_position`)} ON ${side(table)} (scope, position)`,
    `CREATE INDEX IF NOT EXISTS ${quoted(`${name}_position_living`)} ON ${side(table)} (scope, position, deleted) WHERE NOT deleted`,
    ...events.map((event) => noteFunction(table, event)),
    ...events.flatMap((event) => [
      `DROP TRIGGER IF EXISTS ${triggerName(event)} ON ${app(adopted)}`,
      noteTrigger(table, event),
    ]),
  ]
}

export function dropTriggersInPostgres(table: Remembered): string[] {
  return [
    ...events.map((event) => `DROP TRIGGER IF EXISTS ${triggerName(event)} ON ${app(table.adopted)}`),
    ...events.map((event) => `DROP FUNCTION IF EXISTS ${functionName(table, event)}()`),
  ]
}

export function renameSideInPostgres(from: string, to: string): string[] {
  const index = (end: string) =>
    `ALTER INDEX IF EXISTS driftline.${quoted(`${from}${end}`)} RENAME TO ${quoted(`${to}${end}`)}`
  return [
    `ALTER TABLE IF EXISTS driftline.${quoted(from)} RENAME TO ${quoted(to)}`,
    ...['_position', '_position_living', '_pkey'].map(index),
    `UPDATE driftline.driftline_touched SET table_name = '${to}' WHERE table_name = '${from}'`,
  ]
}

export function unadoptInPostgres(table: Remembered): string[] {
  return [
    ...dropTriggersInPostgres(table),
    `DROP TABLE IF EXISTS driftline.${quoted(table.name)}`,
    `DELETE FROM driftline.driftline_touched WHERE table_name = '${table.name}'`,
  ]
}

type Event = (typeof events)[number]

const transitions = {
  insert: ' REFERENCING NEW TABLE AS new_rows',
  update: ' REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows',
  delete: ' REFERENCING OLD TABLE AS old_rows',
  truncate: '',
}

/** A push writes its own rows without it. What cascades and the app's triggers do is noted. */
function noteTrigger(table: AdoptedTable, event: Event): string {
  return `CREATE TRIGGER ${triggerName(event)} AFTER ${event.toUpperCase()} ON ${app(table.adopted)}${transitions[event]} FOR EACH STATEMENT
WHEN (coalesce(current_setting('driftline.push', true), '') = '' OR pg_trigger_depth() > 0) EXECUTE FUNCTION ${functionName(table, event)}()`
}

/** The bytes of a row of that name, about. */
function bytesOf(table: AdoptedTable, row: string): string {
  const long = table.columns.filter(({ type }) => isLong(type))
  return ['64', ...long.map((column) => `coalesce(octet_length(${row}.${quoted(sourceOf(column))}::text), 0)`)].join(
    ' + ',
  )
}

/**
 * A function that notes which rows a statement wrote, a thousand to a line. It takes no lock, waits
 * for nobody, and fails for nothing that the app does to the table: where a column has gone, all
 * rows of the statement are noted, and where the key or the scope has, all of the table.
 */
function noteFunction(table: AdoptedTable, event: Event): string {
  const body = event === 'truncate' ? noteAll(table) : noteRows(table, event)
  return `CREATE OR REPLACE FUNCTION ${functionName(table, event)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $note$
BEGIN
  ${body}
  RETURN NULL;
END $note$`
}

const noteAll = (table: AdoptedTable) =>
  `INSERT INTO driftline.driftline_touched (scope, table_name) SELECT DISTINCT scope, '${table.name}' FROM ${side(table)} WHERE NOT deleted;`

function noteRows(table: AdoptedTable, event: Exclude<Event, 'truncate'>): string {
  const marks = { insert: markedInserts, update: markedUpdates, delete: markedDeletes }[event](table)
  const simple = event === 'delete' ? markedDeletes(table) : markedInserts(table)
  return `BEGIN
    ${insertMarks(table, marks)}
  EXCEPTION WHEN undefined_column THEN
    BEGIN
      ${insertMarks(table, simple, false)}
    EXCEPTION WHEN undefined_column THEN
      ${noteAll(table)}
    END;
  END;`
}

/**
 * Within a push, rows are left out that it stamped itself and that are as it left them: their
 * position is one of its own.
 */
function insertMarks(table: AdoptedTable, marked: string, sized = true): string {
  return `INSERT INTO driftline.driftline_touched (scope, table_name, bytes, marks)
    SELECT s$, '${table.name}', ${sized ? 'max(b$)' : 'NULL'}, array_agg(k$ || i$) FROM (
      SELECT s$, k$, i$, b$, (row_number() OVER (PARTITION BY s$) - 1) / 1000 AS line$ FROM (${marked}) AS m$
      WHERE s$ IS NOT NULL AND k$ IS NOT NULL AND NOT (coalesce(current_setting('driftline.push', true), '') <> '' AND s$ = current_setting('driftline.scope', true) AND EXISTS (
        SELECT 1 FROM ${side(table)} AS own$ WHERE own$.scope = s$ AND own$.id = i$ AND own$.deleted = (k$ = 'd')
        AND own$.position > current_setting('driftline.push', true)::bigint AND own$.position <= current_setting('driftline.until', true)::bigint))
    ) AS n$ GROUP BY s$, line$;`
}

/** SELECTs of s$ (scope), i$ (id), k$ (the kind of the mark) and b$ (bytes). */
const selectOf = ({ adopted }: AdoptedTable, row: string) => `${scope(adopted, row)} AS s$, ${id(adopted, row)} AS i$`

const markedInserts = (table: AdoptedTable) =>
  `SELECT ${selectOf(table, 'r$')}, 'w' AS k$, ${bytesOf(table, 'r$')} AS b$ FROM new_rows AS r$`
const markedDeletes = (table: AdoptedTable) => `SELECT ${selectOf(table, 'r$')}, 'd' AS k$, 0 AS b$ FROM old_rows AS r$`

/** What types have no equality compares as text. */
function differs(table: AdoptedTable, readonly: boolean): string {
  const columns = table.columns.filter((column) => (column.readonly === true) === readonly)
  const soft = !readonly && table.adopted.softDelete !== undefined ? [quoted(table.adopted.softDelete)] : []
  const compared = columns.map((column) => {
    const name = quoted(sourceOf(column))
    return column.type === 'text' || column.type === 'json' ? `${name}::text` : name
  })
  const one = (row: string) => [...compared, ...soft].map((name) => `${row}.${name}`)
  const [before, after] = [one('o$'), one('n$')]
  if (before.length === 0) return 'false'
  return before.map((value, place) => `${value} IS DISTINCT FROM ${after[place]}`).join(' OR ')
}

/**
 * A row that moves to another scope, or gets another key, is gone from where it was. `old$` and
 * `new$` say the scope and id of each in a subquery, where an expression finds its columns.
 */
function markedUpdates(table: AdoptedTable): string {
  const key = quoted(table.adopted.key)
  const moved = 'n$.s$ IS DISTINCT FROM o$.s$'
  const sides = (rows: string) =>
    `SELECT r$.*, ${selectOf(table, 'r$')}, ${bytesOf(table, 'r$')} AS b$ FROM ${rows} AS r$`
  return `SELECT v$.s$, v$.i$, v$.k$, v$.b$ FROM (
      SELECT n$.s$ AS ns$, n$.i$ AS ni$, n$.b$ AS nb$, o$.s$ AS os$, o$.i$ AS oi$, ${moved} AS moved$, (${differs(table, false)}) AS w$, (${differs(table, true)}) AS q$
      FROM (${sides('new_rows')}) AS n$ FULL JOIN (${sides('old_rows')}) AS o$ ON o$.${key} = n$.${key}) AS u$
      CROSS JOIN LATERAL (VALUES
        (ns$, ni$, CASE WHEN oi$ IS NULL OR moved$ OR w$ THEN 'w' WHEN q$ THEN 'q' END, nb$),
        (os$, oi$, CASE WHEN ni$ IS NULL OR moved$ THEN 'd' END, 0)) AS v$ (s$, i$, k$, b$) WHERE v$.i$ IS NOT NULL`
}
