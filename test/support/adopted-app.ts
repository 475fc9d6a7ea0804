import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { boolean, integer, text } from '../../src/model/column.ts'
import { parseCursor } from '../../src/model/cursor.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { Access } from '../../src/model/principal.ts'
import type { Cells } from '../../src/sql/statement.ts'
import type { Store } from '../../src/stores/store.ts'
import { adopted, sql } from '../../src/sync/adopted/adopted.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeRequest } from '../../src/wire/request.ts'

/**
 * An app with tables of its own, as one finds them: keys that refer to each other, a cascade, a SET
 * NULL, a column that a trigger keeps, a soft delete, a scope that is computed, and columns that no
 * phone knows.
 */
export const appSchema = defineSchema({
  projects: adopted('projects', {
    key: 'id',
    scope: 'user_id',
    columns: {
      name: text(),
      open_tasks: integer({ readonly: true }),
      user_id: text({ nullable: true, readonly: true }),
    },
  }),
  tasks: adopted('tasks', {
    key: 'id',
    scope: 'user_id',
    unique: [['email']],
    columns: {
      project_id: text({ nullable: true }),
      parent_id: text({ nullable: true }),
      title: text(),
      email: text({ nullable: true }),
      status: text({ default: 'open', oneOf: ['open', 'done'] }),
      position: integer({ nullable: true }),
      done: boolean({ default: false }),
      extra: text({ nullable: true }),
      user_id: text({ nullable: true, readonly: true }),
    },
  }),
  notes: adopted('notes', {
    key: 'key',
    keyType: 'text',
    scope: sql(`'team:' || team_id`),
    softDelete: 'deleted_at',
    columns: { body: text({ default: '' }), team_id: integer({ readonly: true }) },
  }),
})

const count = (row: string) =>
  `UPDATE projects SET open_tasks = (SELECT count(*) FROM tasks WHERE project_id = ${row}.project_id) WHERE id = ${row}.project_id`

export const appTables = {
  postgres: [
    `CREATE TYPE status AS ENUM ('open', 'done')`,
    'CREATE TABLE projects (id uuid PRIMARY KEY, user_id text, name varchar(20) NOT NULL, open_tasks int NOT NULL DEFAULT 0)',
    `CREATE TABLE tasks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id text, project_id uuid REFERENCES projects ON DELETE CASCADE ON UPDATE CASCADE,
parent_id uuid REFERENCES tasks ON DELETE SET NULL ON UPDATE CASCADE, title text NOT NULL CHECK (title <> 'bad'), email text UNIQUE, status status NOT NULL DEFAULT 'open',
position int, done boolean NOT NULL DEFAULT false, extra text, secret text NOT NULL DEFAULT 'hidden')`,
    'CREATE INDEX ON tasks (project_id)',
    'CREATE INDEX ON tasks (parent_id)',
    `CREATE TABLE notes (key text PRIMARY KEY, team_id int NOT NULL, body text NOT NULL DEFAULT '', deleted_at timestamptz)`,
    `CREATE FUNCTION count_tasks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP <> 'INSERT' THEN ${count('OLD')}; END IF;
  IF TG_OP <> 'DELETE' THEN ${count('NEW')}; END IF;
  RETURN NULL; END $$`,
    'CREATE TRIGGER count_tasks AFTER INSERT OR DELETE OR UPDATE OF project_id ON tasks FOR EACH ROW EXECUTE FUNCTION count_tasks()',
  ],
  sqlite: [
    'CREATE TABLE projects (id TEXT PRIMARY KEY, user_id TEXT, name TEXT NOT NULL, open_tasks INTEGER NOT NULL DEFAULT 0)',
    `CREATE TABLE tasks (id TEXT PRIMARY KEY, user_id TEXT, project_id TEXT REFERENCES projects ON DELETE CASCADE ON UPDATE CASCADE,
parent_id TEXT REFERENCES tasks ON DELETE SET NULL ON UPDATE CASCADE, title TEXT NOT NULL CHECK (title <> 'bad'), email TEXT UNIQUE, status TEXT NOT NULL DEFAULT 'open',
position INTEGER, done INTEGER NOT NULL DEFAULT 0, extra TEXT, secret TEXT NOT NULL DEFAULT 'hidden')`,
    `CREATE TABLE notes (key TEXT PRIMARY KEY, team_id INTEGER NOT NULL, body TEXT NOT NULL DEFAULT '', deleted_at TEXT)`,
    `CREATE TRIGGER count_inserted AFTER INSERT ON tasks BEGIN ${count('NEW')}; END`,
    `CREATE TRIGGER count_updated AFTER UPDATE OF project_id ON tasks BEGIN ${count('OLD')}; ${count('NEW')}; END`,
    `CREATE TRIGGER count_deleted AFTER DELETE ON tasks BEGIN ${count('OLD')}; END`,
  ],
}

export async function openApp(store: Store): Promise<void> {
  const { name } = store.dialect
  await migrate(store, [
    { name: '0001_app', statements: appTables[name] },
    { name: '0002_adopt', statements: createTables(appSchema, name) },
  ])
}

export interface PulledRow {
  readonly scope: string
  readonly table: string
  readonly id: string
  readonly op: string
  readonly at: number
  readonly by: string
  readonly row?: Readonly<Record<string, unknown>>
}

export interface Answer {
  readonly verdicts: readonly {
    readonly verdict: string
    readonly current?: PulledRow
    readonly error?: { readonly code: string }
  }[]
  readonly changes?: readonly PulledRow[]
  readonly cursor?: string
  readonly more?: boolean
}

/** A phone that holds what it has pulled. */
export interface AppPhone {
  readonly client: string
  readonly scopes: readonly string[]
  /** By scope, table and id. */
  readonly rows: ReadonlyMap<string, PulledRow>
  /** Gives verdicts, or the codes of what was rejected. */
  push(changes: readonly object[], more?: object): Promise<string[]>
  answer(changes: readonly object[], more?: object): Promise<Answer>
  /** Pushes and pulls by one request. */
  sync(changes: readonly object[], limit?: number): Promise<string[]>
  /** Pulls until there is no more. */
  pull(limit?: number): Promise<readonly PulledRow[]>
  /** Forgets what it holds, as one that is new. */
  forget(): void
}

let clients = 0

export function openPhone(store: Store, scopes: readonly string[], now: () => number = Date.now): AppPhone {
  const operations = createOperations({ schema: appSchema, store, now })
  const client = `phone${++clients}`
  const who = { subject: client, scopes: new Map(scopes.map((scope): [string, Access] => [scope, 'write'])) }
  const rows = new Map<string, PulledRow>()
  let cursor: string | null = null
  const keep = ({ changes = [], cursor: next }: Partial<Answer>) => {
    for (const one of changes) {
      const key = `${one.scope} ${one.table} ${one.id}`
      if (!scopes.includes(one.scope)) throw new Error(`P20 a phone of ${scopes} was told of ${key}`)
      checkOwner(one)
      if (one.op === 'delete') rows.delete(key)
      else rows.set(key, one)
    }
    if (next !== undefined) cursor = next
  }
  const answer = async (changes: readonly object[], more: object = {}): Promise<Answer> => {
    const request = decodeRequest({ client, changes, ...more }, 'sync')
    const told = JSON.parse(syncToJson(await operations.push(who, request))) as Answer
    if (told.verdicts.length !== changes.length) throw new Error('P12 a change has no verdict')
    for (const { current } of told.verdicts) if (current?.row) checkOwner(current)
    return told
  }
  const wordsOf = ({ verdicts }: Answer) => verdicts.map(({ verdict, error }) => error?.code ?? verdict)
  return {
    ...{ client, scopes, rows, answer },
    push: async (changes, more) => wordsOf(await answer(changes, more)),
    async sync(changes, limit = 500) {
      const told = await answer(changes, { cursor, limit })
      keep(told)
      // A sync leaves out what it wrote itself.
      for (const { current } of told.verdicts) {
        if (!current) continue
        const key = `${current.scope} ${current.table} ${current.id}`
        if (current.op === 'delete') rows.delete(key)
        else rows.set(key, current)
      }
      return wordsOf(told)
    },
    async pull(limit = 500) {
      const pulled: PulledRow[] = []
      for (let pages = 0; pages < 10_000; pages++) {
        const page = JSON.parse(
          pullToJson(
            await operations.pull(who, {
              ...{ cursor: cursor === null ? null : parseCursor(cursor), limit, columns: 'all' },
            }),
          ),
        ) as Answer
        keep(page)
        pulled.push(...(page.changes ?? []))
        if (!page.more) return pulled
      }
      throw new Error('There is no end of pages')
    },
    forget() {
      rows.clear()
      cursor = null
    },
  }
}

/** A row says itself whose it is, by columns that no phone writes. */
function checkOwner({ scope, table, id, row }: PulledRow): void {
  if (!row) return
  const owner = table === 'notes' ? `team:${row.team_id}` : row.user_id
  if (owner !== scope) throw new Error(`P20 ${table} ${id} of ${owner} was told of in ${scope}`)
}

const columnsOf = (name: string) =>
  appSchema.tables
    .find((table) => table.name === name)
    ?.columns.map((column) => ({ ...column, source: column.source ?? column.name })) ?? []

/** What a SELECT says of scopes, as phones hold it: rows by scope, table and id. */
export async function truthOf(store: Store, scopes: readonly string[]): Promise<ReadonlyMap<string, object>> {
  const isPostgres = store.dialect.name === 'postgres'
  const list = scopes.map((scope) => `'${scope}'`).join(', ')
  const truth = new Map<string, object>()
  for (const [table, key, scope, alive] of [
    ['projects', 'id', 'user_id', ''],
    ['tasks', 'id', 'user_id', ''],
    ['notes', 'key', `'team:' || team_id`, ' AND deleted_at IS NULL'],
  ] as const) {
    const columns = columnsOf(table)
    const read = columns.map(({ source: name }) => (isPostgres ? `${name}::text` : `CAST(${name} AS TEXT)`)).join(', ')
    const [rows = []] = await store.batch('', [
      { sql: `SELECT ${scope}, ${key}, ${read} FROM ${table} WHERE ${scope} IN (${list})${alive}`, params: [] },
    ])
    for (const [owner, id, ...cells] of rows)
      truth.set(
        `${owner} ${table} ${id}`,
        Object.fromEntries(columns.map(({ source, type }, place) => [source, plainOf(type, cells[place])])),
      )
  }
  return truth
}

function plainOf(type: string, cell: Cells[number] | undefined): unknown {
  if (cell === null || cell === undefined) return null
  if (type === 'boolean') return cell === 'true' || cell === '1'
  return type === 'integer' ? Number(cell) : cell
}

/** What is wrong with what a phone holds, against what a SELECT says. */
export function differences(phone: AppPhone, truth: ReadonlyMap<string, object>): string[] {
  const wrong: string[] = []
  for (const [key, row] of truth) {
    const held = phone.rows.get(key)?.row
    if (!held) wrong.push(`${phone.client} has no ${key}, which is ${JSON.stringify(row)}`)
    else if (JSON.stringify(sorted(held)) !== JSON.stringify(sorted(row)))
      wrong.push(`${phone.client} holds ${key} as ${JSON.stringify(held)}, and it is ${JSON.stringify(row)}`)
  }
  for (const key of phone.rows.keys()) if (!truth.has(key)) wrong.push(`${phone.client} holds ${key}, which is gone`)
  return wrong
}

const sorted = (row: object) => Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1))
