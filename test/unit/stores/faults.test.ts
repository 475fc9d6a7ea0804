import { expect, it } from 'vitest'
import { postgresFault, sqliteFault } from '../../../src/stores/fault.ts'
import { sqliteCode } from '../../../src/stores/sqlite-code.ts'

it.each([
  ['EPIPE', 'transient'],
  ['ECONNRESET', 'transient'],
  [undefined, 'transient'],
  ['57P01', 'transient'],
  ['XX000', 'transient'],
  ['40P01', 'conflict'],
  ['23505', 'refused'],
  ['42P01', 'broken'],
] as const)('P13 a Postgres fault of code %s is %s', (code, kind) => {
  expect(postgresFault(Object.assign(new Error('some words'), { code })).kind).toBe(kind)
})

it.each(['QUOTA', 'ELIMT', 'EPIPE'])('P12 a trigger may raise %s, five letters: it refuses', (code) => {
  const error = Object.assign(new Error('some words'), { code, severity: 'ERROR' })
  expect(postgresFault(error).kind).toBe('refused')
})

it.each([
  [1, 'SQLITE_ERROR', 'broken'],
  [5, 'SQLITE_BUSY', 'transient'],
  [517, 'SQLITE_BUSY', 'transient'],
  [13, 'SQLITE_FULL', 'transient'],
  [19, 'SQLITE_CONSTRAINT', 'refused'],
  [2067, 'SQLITE_CONSTRAINT', 'refused'],
  [26, 'SQLITE_NOTADB', 'transient'],
  [99, 'SQLITE_ERROR', 'broken'],
] as const)('P13 the result code %d of SQLite is %s, which is %s', (result, name, kind) => {
  expect(sqliteCode(result)).toBe(name)
  expect(sqliteFault({ message: 'no such table: t', code: name }).kind).toBe(kind)
})
