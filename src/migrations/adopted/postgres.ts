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
  n bigint GENERATED ALWAYS AS IDENTITY,
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
export function bytesOf(table: AdoptedTable, row: string): string {
  const long = table.columns.filter(({ type }) => isLong(type))
  return ['64', ...long.map((column) => `coalesce(octet_length(${row}.${quoted(sourceOf(column))}::text), 0)`)].join(
    ' + ',
  )
}

/**
 * A function that notes which rows a statement wrote, a thousand to a line at the most. It takes
 * no lock, waits for nobody, and fails for nothing that the app does to the table: where a column
 * has gone, all rows of the statement are noted, and where the key or the scope has, all of the
 * table. The rows are read in a block that catches that, and written behind it, which spares a
 * subtransaction.
 */
function noteFunction(table: AdoptedTable, event: Event): string {
  const body =
    event === 'truncate'
      ? `BEGIN
  ${noteAll(table)}
  RETURN NULL;
END`
      : noteRows(table, event)
  return `CREATE OR REPLACE FUNCTION ${functionName(table, event)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $note$
${body} $note$`
}

const noteAll = (table: AdoptedTable) =>
  `INSERT INTO driftline.driftline_touched (scope, table_name) SELECT DISTINCT scope, '${table.name}' FROM ${side(table)} WHERE NOT deleted;`

/**
 * Nearly every statement writes rows of one scope and moves none, and its marks are taken as they
 * are read. What touches several scopes, or comes within a push, is taken apart row by row.
 */
function noteRows(table: AdoptedTable, event: Exclude<Event, 'truncate'>): string {
  const touched = `INSERT INTO driftline.driftline_touched (scope, table_name, bytes, marks)`
  const rows = { insert: insertedRows, update: updatedRows, delete: deletedRows }[event](table)
  const all = event === 'delete' ? rows : { ...insertedRows(table), bytes: 'NULL::bigint' }
  const read = ({ from, scope: one, mark, bytes, moves }: Rows) =>
    `SELECT min(${one} COLLATE "C"), max(${one} COLLATE "C"), array_agg(${mark}) FILTER (WHERE ${one} IS NOT NULL), max(${bytes}), coalesce(bool_or(${moves}), false)
    INTO first$, last$, marks$, bytes$, moves$ FROM ${from};`
  return `DECLARE
  first$ text;
  last$ text;
  scopes$ text[];
  marks$ text[];
  bytes$ bigint;
  moves$ boolean;
  base$ bigint := nullif(current_setting('driftline.push', true), '');
BEGIN
  BEGIN
    ${read(rows)}
    IF moves$ OR first$ <> last$ OR base$ IS NOT NULL THEN
      SELECT array_agg(s$), array_agg(m$) INTO scopes$, marks$ FROM (${rows.each}) AS m$ WHERE s$ IS NOT NULL AND m$ IS NOT NULL;
    END IF;
  EXCEPTION WHEN undefined_column THEN
    BEGIN
      ${read(all)}
      SELECT array_agg(s$), array_agg(m$) INTO scopes$, marks$ FROM (${all.each}) AS m$ WHERE s$ IS NOT NULL AND m$ IS NOT NULL;
    EXCEPTION WHEN undefined_column THEN
      IF EXISTS (SELECT 1 FROM ${event === 'delete' ? 'old_rows' : 'new_rows'}) THEN
        ${noteAll(table)}
      END IF;
      RETURN NULL;
    END;
  END;
  IF scopes$ IS NOT NULL THEN
    ${touched} SELECT s$, '${table.name}', bytes$, array_agg(m$) FROM (
      SELECT s$, m$, (n$ - 1) / 1000 AS line$ FROM unnest(scopes$, marks$) WITH ORDINALITY AS m$ (s$, m$, n$)
      WHERE base$ IS NULL OR NOT (${isOwn(table)})
    ) AS n$ GROUP BY s$, line$;
  ELSIF cardinality(marks$) <= 1000 AND base$ IS NULL AND NOT moves$ THEN
    ${touched} VALUES (first$, '${table.name}', bytes$, marks$);
  ELSIF marks$ IS NOT NULL AND base$ IS NULL AND NOT moves$ THEN
    ${touched} SELECT first$, '${table.name}', bytes$, marks$[n$:n$ + 999] FROM generate_series(1, cardinality(marks$), 1000) AS n$;
  END IF;
  RETURN NULL;
END`
}

/**
 * Within a push, rows are left out that it stamped itself and that are as it left them: their
 * position is one of its own.
 * Behind a push its settings are empty for whoever has the connection
 * then, and no number.
 */
const isOwn = (table: AdoptedTable) => `s$ = current_setting('driftline.scope', true) AND EXISTS (
        SELECT 1 FROM ${side(table)} AS own$ WHERE own$.scope = s$ AND own$.id = substr(m$, 2) AND own$.deleted = (left(m$, 1) = 'd')
        AND own$.position > base$ AND own$.position <= nullif(current_setting('driftline.until', true), '')::bigint)`

/** The rows that a statement wrote. */
interface Rows {
  /** What they come from, with what matters of them. */
  readonly from: string
  readonly scope: string
  readonly mark: string
  readonly bytes: string
  /** Whether a row has left its scope, or its id. */
  readonly moves: string
  /** A SELECT of s$ (scope) and m$ (mark), one for each row that is there or was. */
  readonly each: string
}

function insertedRows(table: AdoptedTable): Rows {
  const { adopted } = table
  const [one, mark] = [scope(adopted, 'n$'), `'w' || ${id(adopted, 'n$')}`]
  return {
    from: 'new_rows AS n$',
    scope: one,
    mark,
    bytes: bytesOf(table, 'n$'),
    moves: 'false',
    each: `SELECT ${one} AS s$, ${mark} AS m$ FROM new_rows AS n$`,
  }
}

function deletedRows({ adopted }: AdoptedTable): Rows {
  const [one, mark] = [scope(adopted, 'o$'), `'d' || ${id(adopted, 'o$')}`]
  return {
    from: 'old_rows AS o$',
    scope: one,
    mark,
    bytes: '0',
    moves: 'false',
    each: `SELECT ${one} AS s$, ${mark} AS m$ FROM old_rows AS o$`,
  }
}

/** A row that moves to another scope, or gets another key, is gone from where it was. */
function updatedRows(table: AdoptedTable): Rows {
  const { adopted } = table
  const key = quoted(adopted.key)
  // An expression finds its columns in a subquery of one row.
  const isColumn = 'column' in adopted.scope
  const side = (rows: string, row: string) =>
    isColumn ? `${rows} AS ${row}` : `(SELECT r$.*, ${scope(adopted, 'r$')} AS s$ FROM ${rows} AS r$) AS ${row}`
  const scopeOf = (row: string) => (isColumn ? scope(adopted, row) : `${row}.s$`)
  const moved = `${scopeOf('n$')} IS DISTINCT FROM ${scopeOf('o$')}`
  const joined = `${side('new_rows', 'n$')} FULL JOIN ${side('old_rows', 'o$')} ON o$.${key} = n$.${key}`
  const isNew = `o$.${key} IS NULL OR ${moved} OR ${differs(table, false)}`
  const mark = `CASE WHEN ${isNew} THEN 'w' ELSE 'q' END || ${id(adopted, 'n$')}`
  const matters = `n$.${key} IS NULL OR ${isNew} OR ${differs(table, true)}`
  return {
    from: `${joined} WHERE ${matters}`,
    scope: scopeOf('n$'),
    mark,
    bytes: bytesOf(table, 'n$'),
    moves: `n$.${key} IS NULL OR o$.${key} IS NULL OR ${moved}`,
    each: `SELECT v$.s$, v$.m$ FROM ${joined} CROSS JOIN LATERAL (VALUES
      (${scopeOf('n$')}, ${mark}), (${scopeOf('o$')}, CASE WHEN n$.${key} IS NULL OR ${moved} THEN 'd' || ${id(adopted, 'o$')} END)) AS v$ (s$, m$) WHERE ${matters}`,
  }
}

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
