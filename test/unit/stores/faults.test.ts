import { expect, it } from 'vitest'
import { postgresFault } from '../../../src/stores/fault.ts'

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
