import type { SqliteDriver } from './sqlite.ts'

type Value = string | number | null

/** A database of node:sqlite or better-sqlite3, as far as it is used. */
export interface NodeDatabase {
  prepare(sql: string): { run(...params: Value[]): unknown; all(...params: Value[]): unknown[] }
  close(): void
}

/** node:sqlite and better-sqlite3. */
export function fromNode(database: NodeDatabase): SqliteDriver {
  const statements = new Map<string, ReturnType<NodeDatabase['prepare']>>()
  const prepared = (sql: string) => {
    // What makes tables changes what others mean.
    if (!/^(SELECT|INSERT|DELETE|BEGIN|COMMIT|ROLLBACK)/.test(sql)) return database.prepare(sql)
    const statement = statements.get(sql) ?? database.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  return {
    run: (sql, params) => void prepared(sql).run(...params),
    all: (sql, params) => prepared(sql).all(...params),
    close: () => database.close(),
  }
}

/** A database of expo-sqlite, as far as it is used: `await openDatabaseAsync('driftline.db')`. */
export interface ExpoDatabase {
  runAsync(sql: string, params: Value[]): Promise<unknown>
  getAllAsync(sql: string, params: Value[]): Promise<unknown[]>
  closeAsync(): Promise<void>
}

export function fromExpo(database: ExpoDatabase): SqliteDriver {
  return {
    run: (sql, params) => database.runAsync(sql, params),
    all: (sql, params) => database.getAllAsync(sql, params),
    close: () => database.closeAsync(),
  }
}

/** A database of op-sqlite, as far as it is used: `open({ name: 'driftline.db' })`. */
export interface OpDatabase {
  execute(sql: string, params: Value[]): Promise<{ readonly rows: unknown[] }>
  close(): void
}

export function fromOp(database: OpDatabase): SqliteDriver {
  return {
    run: (sql, params) => database.execute(sql, params),
    all: async (sql, params) => (await database.execute(sql, params)).rows,
    close: () => database.close(),
  }
}

/** The API of wa-sqlite, as far as it is used. */
export interface WaApi {
  statements(database: number, sql: string): AsyncIterable<number>
  bind_collection(statement: number, params: Value[]): unknown
  step(statement: number): Promise<number>
  column_names(statement: number): string[]
  row(statement: number): unknown[]
  close(database: number): Promise<unknown>
}

const rowCode = 100

export function fromWa(api: WaApi, database: number): SqliteDriver {
  const all = async (sql: string, params: Value[]) => {
    const rows: Record<string, unknown>[] = []
    for await (const statement of api.statements(database, sql)) {
      if (params.length > 0) api.bind_collection(statement, params)
      while ((await api.step(statement)) === rowCode) {
        const values = api.row(statement)
        rows.push(Object.fromEntries(api.column_names(statement).map((name, place) => [name, values[place]])))
      }
    }
    return rows
  }
  return { run: all, all, close: () => api.close(database) }
}
