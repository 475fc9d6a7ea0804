import type { Schema } from '../sync/table.ts'

const types = {
  postgres: {
    text: 'text',
    integer: 'bigint',
    real: 'double precision',
    boolean: 'boolean',
    json: 'json',
    timestamp: 'timestamptz',
    uuid: 'uuid',
    bytes: 'bytea',
  },
  sqlite: {
    text: 'TEXT',
    integer: 'INTEGER',
    real: 'REAL',
    boolean: 'INTEGER',
    json: 'TEXT',
    timestamp: 'TEXT',
    uuid: 'TEXT',
    bytes: 'BLOB',
  },
}
export function createTables(schema: Schema, dialect: 'postgres' | 'sqlite'): string[] {
  const pg = dialect === 'postgres'
  const [key, int, bool, end] = pg
    ? ['text COLLATE "C"', 'bigint', 'boolean', '']
    : ['TEXT', 'INTEGER', 'INTEGER', ' STRICT']
  return [
    `CREATE TABLE driftline_scopes (scope ${key} PRIMARY KEY, incarnation ${pg ? 'text' : 'TEXT'} NOT NULL, position ${int} NOT NULL, watermark ${int} NOT NULL)${end}`,
    ...schema.tables.flatMap(({ name, columns }) => [
      `CREATE TABLE "${name}" (scope ${key} NOT NULL, id ${key} NOT NULL, updated_at ${int} NOT NULL, updated_by ${key} NOT NULL, deleted ${bool} NOT NULL, position ${int} NOT NULL, created_position ${int} NOT NULL, ${columns.map((c) => `"${c.name}" ${types[dialect][c.type]}${c.nullable ? '' : ` CHECK (deleted OR "${c.name}" IS NOT NULL)`}`).join(', ')}, PRIMARY KEY (scope, id))${end}`,
      `CREATE INDEX "${name}_position" ON "${name}" (scope, position)`,
    ]),
  ]
}
