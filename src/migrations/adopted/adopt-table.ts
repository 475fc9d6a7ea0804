import type { Adopted } from '../../model/adopted.ts'
import type { Table } from '../../model/table.ts'
import type { DialectName } from '../ddl.ts'
import { adoptInPostgres, homeInPostgres, unadoptInPostgres } from './postgres.ts'
import { adoptInSqlite, homeInSqlite, unadoptInSqlite } from './sqlite.ts'

export type AdoptedTable = Table & { readonly adopted: Adopted }

export const isAdopted = (table: Table): table is AdoptedTable => table.adopted !== undefined

/**
 * What driftline needs beside a table that is adopted: side rows, and triggers that note what is
 * written. Whatever of it is there stays, and triggers are made anew: the app's table is as it was.
 */
export function adoptTable(table: AdoptedTable, dialect: DialectName): string[] {
  return dialect === 'postgres'
    ? [...homeInPostgres, ...adoptInPostgres(table)]
    : [...homeInSqlite, ...adoptInSqlite(table)]
}

/** Takes triggers and side rows away. */
export const unadoptTable = (table: AdoptedTable, dialect: DialectName): string[] =>
  dialect === 'postgres' ? unadoptInPostgres(table) : unadoptInSqlite(table)
