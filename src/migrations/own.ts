import type { DialectName } from './ddl.ts'
import type { Migration } from './migration.ts'

/**
 * The migrations of driftline's own tables, beside those of an app's: a stream of its own, so that
 * a new version neither renumbers what an app has nor meets a number of its. One that was published
 * is never changed; what is new comes behind.
 *
 * The first makes what is not there: projects that began before there were two streams made these
 * tables by migrations in their own folder.
 */
export const ownMigrations: { readonly [name in DialectName]: readonly Migration[] } = {
  postgres: [
    {
      name: 'driftline/0001_tables',
      statements: [
        `CREATE TABLE IF NOT EXISTS driftline_scopes (
  scope text COLLATE "C" PRIMARY KEY,
  incarnation text NOT NULL,
  position bigint NOT NULL,
  watermark bigint NOT NULL,
  row_bytes bigint NOT NULL
)`,
        `CREATE TABLE IF NOT EXISTS driftline_marks (
  scope text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (scope, position)
)`,
        `CREATE TABLE IF NOT EXISTS driftline_inbox (
  scope text COLLATE "C" NOT NULL,
  source text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  received_at bigint NOT NULL,
  outcome text NOT NULL,
  details text NOT NULL,
  PRIMARY KEY (scope, source, id)
)`,
        'CREATE INDEX IF NOT EXISTS driftline_inbox_received ON driftline_inbox (received_at)',
        `CREATE TABLE IF NOT EXISTS driftline_deliveries (
  scope text COLLATE "C" NOT NULL,
  endpoint text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  from_position bigint NOT NULL,
  id text NOT NULL,
  created_at bigint NOT NULL,
  next_at bigint NOT NULL,
  attempts bigint NOT NULL,
  last_error text NOT NULL,
  disabled_at bigint NOT NULL,
  PRIMARY KEY (scope, endpoint, position)
)`,
        'CREATE INDEX IF NOT EXISTS driftline_deliveries_due ON driftline_deliveries (endpoint, next_at)',
      ],
    },
    {
      name: 'driftline/0002_adds',
      statements: [
        `CREATE TABLE driftline_adds (
  scope text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  by text COLLATE "C" NOT NULL,
  tbl text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  col text COLLATE "C" NOT NULL,
  n bigint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (scope, at, by, tbl, id, col)
)`,
        'ALTER TABLE driftline_scopes ADD COLUMN adds_floor bigint NOT NULL DEFAULT 0',
      ],
    },
  ],
  sqlite: [
    {
      name: 'driftline/0001_tables',
      statements: [
        `CREATE TABLE IF NOT EXISTS driftline_scopes (
  scope TEXT PRIMARY KEY,
  incarnation TEXT NOT NULL,
  position INTEGER NOT NULL,
  watermark INTEGER NOT NULL,
  row_bytes INTEGER NOT NULL
) STRICT`,
        `CREATE TABLE IF NOT EXISTS driftline_marks (
  scope TEXT NOT NULL,
  position INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (scope, position)
) STRICT`,
        `CREATE TABLE IF NOT EXISTS driftline_inbox (
  scope TEXT NOT NULL,
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  details TEXT NOT NULL,
  PRIMARY KEY (scope, source, id)
) STRICT`,
        'CREATE INDEX IF NOT EXISTS driftline_inbox_received ON driftline_inbox (received_at)',
        `CREATE TABLE IF NOT EXISTS driftline_deliveries (
  scope TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  position INTEGER NOT NULL,
  from_position INTEGER NOT NULL,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  disabled_at INTEGER NOT NULL,
  PRIMARY KEY (scope, endpoint, position)
) STRICT`,
        'CREATE INDEX IF NOT EXISTS driftline_deliveries_due ON driftline_deliveries (endpoint, next_at)',
      ],
    },
    {
      name: 'driftline/0002_adds',
      statements: [
        `CREATE TABLE driftline_adds (
  scope TEXT NOT NULL,
  at INTEGER NOT NULL,
  by TEXT NOT NULL,
  tbl TEXT NOT NULL,
  id TEXT NOT NULL,
  col TEXT NOT NULL,
  n INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (scope, at, by, tbl, id, col)
) STRICT, WITHOUT ROWID`,
        'ALTER TABLE driftline_scopes ADD COLUMN adds_floor INTEGER NOT NULL DEFAULT 0',
      ],
    },
  ],
}

/** Whether a migration is of driftline's own stream, by its name. */
export const isOwn = (name: string): boolean => name.startsWith('driftline/')

/**
 * Both streams as they are applied: driftline's own first. Where the app's folder makes driftline's
 * tables itself, as that of an early project does, they come right after the last of these.
 */
export function joinStreams(dialect: DialectName, app: readonly Migration[]): Migration[] {
  const isEarly = ({ statements }: Migration) => statements.some((sql) => makesOwnTable.test(sql))
  const from = app.findLastIndex(isEarly) + 1
  return [...app.slice(0, from), ...ownMigrations[dialect], ...app.slice(from)]
}

const makesOwnTable = /^(?:create|alter|drop)\s+table\s+(?:if\s+(?:not\s+)?exists\s+)?"?driftline_/i
