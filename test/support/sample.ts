import type { Access, Principal } from '../../src/model/principal.ts'
import type { Store } from '../../src/stores/store.ts'
import { type ChangeInput, createSync, type Sync } from '../../src/sync/create-sync.ts'
import { schema } from './schema.ts'

export type Sample = typeof schema
export type SampleChange = ChangeInput<Sample>

/** 2026-11-21T02:00:00Z in microseconds: the tests' noon. */
export const noon = 1_795_226_400_000_000

export const alice = principal('alice')

export function principal(subject: string, more: Record<string, Access> = {}): Principal {
  return { subject, scopes: new Map<string, Access>([[subject, 'write'], ...Object.entries(more)]) }
}

/** The core over the sample schema, at noon, with incarnations that count. */
export function sampleSync(store: Store, now: () => number = () => noon / 1000): Sync<Sample> {
  let incarnations = 0
  return createSync({ schema, store, now, incarnation: () => `inc${++incarnations}` })
}

export function put(id: string, at: number, title: string, more: object = {}): SampleChange {
  return { table: 'todos', op: 'put', id, at: noon + at, row: { title, ...more } }
}
export function patch(id: string, at: number, row: object): SampleChange {
  return { table: 'todos', op: 'patch', id, at: noon + at, row }
}
export function del(id: string, at: number): SampleChange {
  return { table: 'todos', op: 'delete', id, at: noon + at }
}
