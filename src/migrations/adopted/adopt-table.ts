import type { AdoptedTable } from '../../model/table.ts'
import type { Dialect } from '../../sql/dialect.ts'
import {
  adoptInPostgres,
  dropTriggersInPostgres,
  homeInPostgres,
  renameSideInPostgres,
  unadoptInPostgres,
} from './postgres.ts'
import type { Remembered } from './snapshot.ts'
import { adoptInSqlite, dropTriggersInSqlite, homeInSqlite, renameSideInSqlite, unadoptInSqlite } from './sqlite.ts'

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
export const unadoptTable = (table: Remembered, dialect: Dialect['name']): string[] =>
  dialect === 'postgres' ? unadoptInPostgres(table) : unadoptInSqlite(table)

/** Takes the triggers away, and leaves the side rows. */
export const withoutTriggers = (table: Remembered, dialect: Dialect['name']): string[] =>
  dialect === 'postgres' ? dropTriggersInPostgres(table) : dropTriggersInSqlite(table)

/** Side rows under another name, without triggers: `adoptTable` then makes what is missing. */
export const renameSide = (from: string, to: string, dialect: Dialect['name']): string[] =>
  dialect === 'postgres' ? renameSideInPostgres(from, to) : renameSideInSqlite(from, to)
