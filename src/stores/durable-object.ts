import { sqliteScope } from '../sql/sqlite/object.ts'
import type { Cells, Statement, StoreLimits } from '../sql/statement.ts'
import { withDeadline } from './deadline.ts'
import { checkNumbers, type FaultKind, type Rehearsal, type Store, StoreFault } from './store.ts'

/**
 * What an object answers to a batch. An error would lose its class and its code on the way, so a
 * fault is data.
 */
export type ObjectAnswer = { readonly rows: Cells[][] } | { readonly fault: ObjectFault }

export type RehearsalAnswer =
  | { readonly faults: readonly (ObjectFault | undefined)[]; readonly closing: readonly (readonly Cells[])[] }
  | { readonly fault: ObjectFault }

export interface ObjectFault {
  readonly kind: FaultKind
  readonly message: string
  readonly code: string | undefined
  readonly constraint: string | undefined
}

/** A statement by the place of its text: the groups of a rehearsal have a few texts many times. */
export type PackedStatement = readonly [text: number, params: Statement['params']]

export interface PackedRehearsal {
  readonly texts: readonly string[]
  readonly opening: readonly PackedStatement[]
  readonly groups: readonly (readonly PackedStatement[])[]
  readonly closing: readonly PackedStatement[]
}

/** What the store needs of a binding's `DurableObjectNamespace<ScopeObject>`. */
export interface ScopeNamespace {
  getByName(scope: string): {
    batch(statements: readonly Statement[]): Promise<ObjectAnswer>
    rehearse(rehearsal: PackedRehearsal): Promise<RehearsalAnswer>
  }
}

/**
 * Cloudflare's, with room for what else a row and a statement hold: 2 MB a value, 100 KB of SQL,
 * 100 columns.
 */
export const objectLimits: StoreLimits = { paramBytesMax: 1_800_000, sqlBytesMax: 100_000, resultColumnsMax: 100 }

/**
 * A SQLite-backed Durable Object for each scope, named by it: a batch is one call, which the object
 * runs as one transaction. Nothing is called twice: whether a batch that broke off was kept, only
 * the client's replay tells (P5).
 */
export function durableObjectStore(namespace: ScopeNamespace): Store {
  return {
    dialect: { ...sqliteScope, adoptsNone: 'Tables can be adopted in Postgres and libSQL only.' },
    limits: objectLimits,
    tendsItself: true,
    async batch(scope, statements) {
      checkNumbers(statements)
      checkParams(statements)
      // Nothing but these members: what a caller keeps beside them may hold functions, which a call
      // would turn into stubs.
      const plain = statements.map(({ sql, params, reads, records }) => ({
        ...{ sql, params },
        ...(reads && { reads }),
        ...(records && { records }),
      }))
      // A stub that has met an error stays broken: take a new one for each batch.
      const answer = await withDeadline(namespace.getByName(scope).batch(plain)).catch((error: unknown) => {
        throw objectFault(error)
      })
      if ('fault' in answer) throw new StoreFault(answer.fault.kind, answer.fault)
      return answer.rows
    },
    async rehearse(scope, rehearsal) {
      checkNumbers([...rehearsal.opening, ...rehearsal.groups.flat(), ...rehearsal.closing])
      const answer = await withDeadline(namespace.getByName(scope).rehearse(pack(rehearsal))).catch(
        (error: unknown) => {
          throw objectFault(error)
        },
      )
      if ('fault' in answer) throw new StoreFault(answer.fault.kind, answer.fault)
      const faults = answer.faults.map((fault) => fault && new StoreFault(fault.kind, fault))
      return { faults, closing: answer.closing }
    },
    // An object is there when somebody calls it, and brings its tables up to date by itself.
    async ping() {},
    async close() {},
  }
}

function pack({ opening, groups, closing }: Rehearsal): PackedRehearsal {
  const places = new Map<string, number>()
  const packAll = (statements: readonly Statement[]) =>
    statements.map(({ sql, params }): PackedStatement => {
      const place = places.get(sql) ?? places.size
      places.set(sql, place)
      return [place, params]
    })
  const packed = { opening: packAll(opening), groups: groups.map(packAll), closing: packAll(closing) }
  return { texts: [...places.keys()], ...packed }
}

/**
 * One row that is too large alone. Not left to the database: wrangler's takes more than
 * Cloudflare's.
 */
export function checkParams(statements: readonly Statement[]): void {
  for (const { params } of statements) {
    for (const value of params) {
      if (typeof value !== 'string' || value.length * 3 <= objectLimits.paramBytesMax) continue
      if (new TextEncoder().encode(value).length > objectLimits.paramBytesMax) {
        throw new StoreFault('refused', {
          message: 'a row is too large for a database of Cloudflare',
          code: 'SQLITE_TOOBIG',
        })
      }
    }
  }
}

/**
 * Why a call did not come to its end: the object is overloaded, was replaced by a deploy, moved, or
 * ran out of time or memory. All of that passes.
 */
function objectFault(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error
  const { overloaded, message } = error as { overloaded?: boolean; message?: string }
  const code = overloaded ? 'OBJECT_OVERLOADED' : 'OBJECT_LOST'
  return new StoreFault('transient', { message: String(message), code, cause: error })
}
