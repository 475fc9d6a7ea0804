import { type AdoptedTable, isAdopted, type Schema } from '../../model/table.ts'
import type { DialectName } from '../ddl.ts'
import type { Draft } from '../draft.ts'
import { own, type Snapshot } from '../snapshot.ts'
import { adoptTable, renameSide, unadoptTable, withoutTriggers } from './adopt-table.ts'
import { type AdoptedSnapshot, type AdoptedSnapshots, rememberedTable, snapshotOf } from './snapshot.ts'

/** As that of native tables, see `Plan`. No row is touched. */
export interface AdoptedPlan {
  readonly statements: { readonly [name in DialectName]: readonly string[] }
  readonly renamed: readonly string[]
  readonly minded: readonly string[]
  readonly drafts: readonly Draft[]
  readonly refusals: readonly string[]
}

/**
 * What leads to the tables that are adopted. The app's tables are never altered: what is written
 * are side tables, functions and triggers, all of which may be there already. A project whose
 * database is of the other dialect never applies them.
 */
export function planAdopted(natives: Snapshot, adopted: AdoptedSnapshots, schema: Schema): AdoptedPlan {
  const tables = schema.tables.filter(isAdopted)
  const names = renamesIn(adopted, tables, schema)
  const steps = tables.map((table) => stepOf(table, adopted, names.get(table.name)))
  const kept = new Set([...tables.map(({ name }) => name), ...names.values()])
  const gone = Object.entries(adopted).filter(([name]) => !kept.has(name))
  const write = (dialect: DialectName) => steps.flatMap(({ write }) => write(dialect))
  return {
    statements: { postgres: write('postgres'), sqlite: write('sqlite') },
    renamed: [...names].map(([to, from]) => `The table ${from} is called ${to} now`),
    minded: steps.flatMap(({ minded }) => minded),
    drafts: gone
      .filter(([name]) => !schema.tables.some((table) => table.name === name))
      .map(([name, was]) => draftGone(name, was)),
    refusals: [
      ...tables.filter(({ name }) => own(natives, name)).map(({ name }) => wasNative(name)),
      ...gone
        .filter(([name]) => schema.tables.some((table) => table.name === name && !isAdopted(table)))
        .map(([name]) => wasAdopted(name)),
    ],
  }
}

/** As `namesOf` does for native tables: the new name is new, and the old one is nobody's. */
function renamesIn(before: AdoptedSnapshots, tables: readonly AdoptedTable[], { renamedFrom, tablesByName }: Schema) {
  const names = new Map<string, string>()
  for (const { name } of tables) {
    const from = renamedFrom.get(name)
    if (from !== undefined && own(before, from) && !own(before, name) && !tablesByName.has(from)) names.set(name, from)
  }
  return names
}

interface Step {
  readonly write: (dialect: DialectName) => readonly string[]
  readonly minded: readonly string[]
}

function stepOf(table: AdoptedTable, before: AdoptedSnapshots, from: string | undefined): Step {
  const was = own(before, from ?? table.name)
  if (!was) return { write: (dialect) => adoptTable(table, dialect), minded: [runFirst(table.name)] }
  const is = snapshotOf(table)
  if (from === undefined && JSON.stringify(was) === JSON.stringify(is)) return { write: () => [], minded: [] }
  const old = rememberedTable(from ?? table.name, was)
  const isElsewhere = was.table !== is.table || was.schema !== is.schema
  const takesAway = isElsewhere || from !== undefined
  return {
    write: (dialect) => [
      ...(takesAway ? withoutTriggers(old, dialect) : []),
      ...(from === undefined ? [] : renameSide(from, table.name, dialect)),
      ...adoptTable(table, dialect),
    ],
    minded: mindedOf(table.name, was, is),
  }
}

/** Rows get other scopes or ids, or values that no phone has: only a look at all of them tells. */
function mindedOf(name: string, was: AdoptedSnapshot, is: AdoptedSnapshot): string[] {
  const without = ({ columns: _, ...rest }: AdoptedSnapshot) => JSON.stringify(rest)
  if (without(was) !== without(is)) return [runFirst(name)]
  const isNew = Object.keys(is.columns).some((column) => !own(was.columns, column))
  return isNew ? [`Once every server has it, run npx driftline reconcile --all --table ${name}`] : []
}

const runFirst = (name: string) =>
  `Once every server has it, run npx driftline reconcile --table ${name}, which finds the rows that are there`

function draftGone(name: string, was: AdoptedSnapshot): Draft {
  const what = `The adopted table ${name} is gone from the schema`
  const about = [
    what,
    'The rows of the app stay as they are. What driftline keeps beside them goes, and phones are told of no row any more:',
  ]
  const table = rememberedTable(name, was)
  return { whats: [what], write: (dialect) => [{ about, statements: unadoptTable(table, dialect) }] }
}

const wasNative = (name: string) =>
  `${name} is a table that driftline made, and cannot be adopted by that name: give the adopted one another.`
const wasAdopted = (name: string) =>
  `${name} is adopted: take it out of the schema and migrate, then declare a table of that name.`
