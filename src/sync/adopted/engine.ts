import { adoptedSql } from '../../sql/adopted/adopted-sql.ts'
import type { SqlEngine } from '../../sql/adopted/engine.ts'
import { adoptedInPostgres, joinApp as joinInPostgres } from '../../sql/postgres/adopted.ts'
import { beginPush, postgresSettle } from '../../sql/postgres/settle.ts'
import { adoptedInSqlite, joinApp as joinInSqlite } from '../../sql/sqlite/adopted.ts'
import { sqliteSettle } from '../../sql/sqlite/settle.ts'
import { adoptedSteps, planAdopted, planHold } from '../push/plan-adopted.ts'
import { againstApp } from './against-app.ts'
import type { SyncEngine } from './sync-engine.ts'

/** Of both dialects: who adopts a table carries 2 KB more than its store needs. */
export const engine: SqlEngine & SyncEngine = {
  postgres: { spelling: adoptedInPostgres, joinApp: joinInPostgres, settle: postgresSettle, beginPush },
  sqlite: { spelling: adoptedInSqlite, joinApp: joinInSqlite, settle: sqliteSettle },
  ...{ adoptedSql, adoptedSteps, planAdopted, planHold, againstApp },
}
