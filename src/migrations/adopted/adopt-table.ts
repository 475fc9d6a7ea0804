import type { AdoptedTable } from '../../model/table.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { adoptInPostgres, homeInPostgres, unadoptInPostgres } from './postgres.ts'
import { adoptInSqlite, homeInSqlite, unadoptInSqlite } from './sqlite.ts'

/**
 * What driftline needs beside a table that is adopted: side rows, and triggers that note what is
 * written. Whatever of it is there stays, and triggers are made anew: the app's table is as it was.
 */
export function adoptTable(table: AdoptedTable, dialect: Dialect['name']): string[] {
  return dialect === 'postgres'
    ? [...homeInPostgres, ...adoptInPostgres(table)]
    : [...homeInSqlite, ...adoptInSqlite(table)]
}

/** Takes triggers and side rows away. */
export const unadoptTable = (table: AdoptedTable, dialect: Dialect['name']): string[] =>
  dialect === 'postgres' ? unadoptInPostgres(table) : unadoptInSqlite(table)
