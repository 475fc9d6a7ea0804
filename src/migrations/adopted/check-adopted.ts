import { type AdoptedTable, isAdopted, type Schema } from '../../model/table.ts'
import type { ColumnType } from '../../model/value.ts'
import { sourceOf } from '../../sql/adopted/spelling.ts'
import type { Store } from '../../stores/store.ts'
import type { DialectName } from '../ddl.ts'
import { adoptTable } from './adopt-table.ts'
import { type AdoptedFacts, readFacts } from './facts.ts'

/**
 * Compares the app's tables with what is declared of them. A sentence for each thing that keeps a
 * table from being synced, or its changes from being heard of.
 */
export async function checkAdopted(store: Store, schema: Schema): Promise<string[]> {
  const tables = schema.tables.filter(isAdopted)
  if (tables.length === 0) return []
  const facts = await readFacts(store, tables)
  return tables.flatMap((table) => {
    const found = facts.get(table.name)
    return found ? checkOne(table, found, store.dialect.name) : []
  })
}

function checkOne(table: AdoptedTable, found: AdoptedFacts, dialect: DialectName): string[] {
  const { table: name } = table.adopted
  const notTable = whatElse(name, found)
  if (notTable) return [notTable]
  return [
    ...checkKey(table, found, dialect),
    ...checkColumns(table, found, dialect),
    ...checkHidden(table, found),
    ...checkRights(table, found),
    ...(found.deferred
      ? [
          `A deferred foreign key of ${name} fails at the commit, where no change can be told from another: make it immediate.`,
        ]
      : []),
    ...checkTriggers(table, found, dialect),
  ]
}

function whatElse(name: string, { kind }: AdoptedFacts): string | undefined {
  if (kind === null) return `The app’s table ${name} is missing: make it, or take it out of the schema.`
  if (kind === 'v' || kind === 'm') return `${name} is a view: adopt the table under it.`
  if (kind === 'f') return `${name} is a foreign or virtual table, whose changes no trigger sees: adopt it where it is.`
  return undefined
}

const keyTypes = {
  uuid: ['uuid'],
  text: ['text', 'varchar', 'bpchar', 'citext'],
  integer: ['int2', 'int4', 'int8'],
}

function checkKey({ adopted }: AdoptedTable, found: AdoptedFacts, dialect: DialectName): string[] {
  const { table, key, keyType } = adopted
  const column = found.columns.find(({ name }) => name === key)
  const isOne = column?.notNull && found.unique.includes(key)
  if (!column || !isOne || found.kind === 'p')
    return [
      dialect === 'postgres'
        ? `${table} has no unique key of one NOT NULL column${column ? ` in ${key}` : ''}: add public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), and adopt with --key public_id.`
        : `${table} has no unique key of one NOT NULL column in ${key}: make that column UNIQUE and NOT NULL, or adopt with another --key.`,
    ]
  if (dialect === 'sqlite' || keyTypes[keyType].includes(column.type)) return []
  return [`The key ${table}.${key} is ${column.type}, and not ${keyType}: say another keyType in the schema.`]
}

/** What Postgres calls the types that hold each of the schema's. None: all that have a text. */
const fitting: { readonly [type in ColumnType]?: readonly string[] } = {
  integer: ['int2', 'int4', 'int8'],
  real: ['float4', 'float8', 'numeric'],
  decimal: ['numeric', 'int2', 'int4', 'int8'],
  boolean: ['bool'],
  json: ['json', 'jsonb'],
  timestamp: ['timestamptz'],
  uuid: ['uuid'],
  bytes: ['bytea'],
}

function checkColumns({ adopted, columns }: AdoptedTable, found: AdoptedFacts, dialect: DialectName): string[] {
  const { table, scope, softDelete } = adopted
  const has = (name: string) => found.columns.some((column) => column.name === name)
  const named = [...('column' in scope ? [scope.column] : []), ...(softDelete === undefined ? [] : [softDelete])]
  return [
    ...named.filter((name) => !has(name)).map((name) => `${table}.${name} is missing, which the schema names.`),
    ...columns.flatMap((column) => {
      const where = `${table}.${sourceOf(column)}`
      const is = found.columns.find(({ name }) => name === sourceOf(column))
      if (!is) return [`${where} is missing: take it out of the schema, or say what it is called now.`]
      if (is.made && !column.readonly) return [`${where} is made by the database: say readonly: true in the schema.`]
      const types = dialect === 'postgres' ? fitting[column.type] : undefined
      if (types && !types.includes(is.type)) return [`${where} is ${is.type}, and the schema says ${column.type}.`]
      return []
    }),
  ]
}

/** What no phone sends must come from the database. */
function checkHidden({ adopted, columns }: AdoptedTable, found: AdoptedFacts): string[] {
  const { table, key, scope } = adopted
  const sent = new Set(columns.filter(({ readonly }) => !readonly).map(sourceOf))
  const known = new Set([key, ...('column' in scope ? [scope.column] : [])])
  return found.columns
    .filter(
      ({ name, notNull, hasDefault, made }) => notNull && !hasDefault && !made && !sent.has(name) && !known.has(name),
    )
    .map(
      ({ name }) =>
        `${table}.${name} is NOT NULL without a default, and phones do not send it: declare it, or give it a default.`,
    )
}

function checkRights(
  { adopted: { table } }: AdoptedTable,
  { role, lacks, filtered, subscriptions }: AdoptedFacts,
): string[] {
  return [
    ...(lacks.length > 0 ? [`The role ${role} has no right to ${lacks.join(', ')} ${table}: GRANT it.`] : []),
    ...(filtered
      ? [
          `Row level security of ${table} binds the role ${role}: connect as its owner without FORCE, or ALTER ROLE ${role} BYPASSRLS.`,
        ]
      : []),
    ...subscriptions.map(
      (name) =>
        `${table} is filled by the subscription ${name}, which fires no statement trigger: adopt it where it is written.`,
    ),
  ]
}

function checkTriggers(table: AdoptedTable, found: AdoptedFacts, dialect: DialectName): string[] {
  const { name, adopted } = table
  const needed = wanted(table, dialect)
  const state = (trigger: string) => found.triggers.find((one) => one.name === trigger)
  const missing = [...needed.keys()].filter((trigger) => !state(trigger))
  if (!found.side || missing.length === needed.size)
    return [
      `${adopted.table} is not adopted yet: run npx driftline generate --name adopt-${name.replaceAll('_', '-')}, and npx driftline migrate.`,
    ]
  const off = found.triggers.filter((one) => needed.has(one.name) && !one.enabled)
  const old = [...needed].filter(([trigger, text]) => (state(trigger)?.text ?? text) !== text)
  return [
    ...missing.map(
      (trigger) =>
        `The trigger ${trigger} of ${adopted.table} is missing, so that changes are not heard of: ${remedy(name)}.`,
    ),
    ...off.map(
      (one) => `The trigger ${one.name} of ${adopted.table} is disabled, so that changes are not heard of: ENABLE it.`,
    ),
    ...old.map(
      ([trigger]) => `The trigger ${trigger} of ${adopted.table} is that of another version: ${remedy(name)}.`,
    ),
  ]
}

const remedy = (name: string) => `run npx driftline reconcile --table ${name}, which makes it anew`

/** The triggers that this version writes, by name, each with what a catalog says of it. */
function wanted(table: AdoptedTable, dialect: DialectName): ReadonlyMap<string, string> {
  const statements = adoptTable(table, dialect)
  const triggers = statements.filter((sql) => sql.startsWith('CREATE TRIGGER'))
  const nameOf = (sql: string) => /^CREATE TRIGGER "?([^\s"]+)/.exec(sql)?.[1] ?? ''
  if (dialect === 'sqlite') return new Map(triggers.map((sql) => [nameOf(sql), sql]))
  const bodies = new Map(
    statements.flatMap((sql) => {
      const [, called, body] = /FUNCTION (\S+)\(\) RETURNS trigger.*?\$note\$([\s\S]*)\$note\$$/.exec(sql) ?? []
      return called === undefined || body === undefined ? [] : [[called, body] as const]
    }),
  )
  const callOf = (sql: string) => /EXECUTE FUNCTION (\S+)\(\)$/.exec(sql)?.[1] ?? ''
  return new Map(triggers.map((sql) => [nameOf(sql), bodies.get(callOf(sql)) ?? '']))
}
