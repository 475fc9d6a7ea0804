import { parseCursor } from '../model/cursor.ts'
import type { Rejection } from '../model/errors.ts'
import type { Principal } from '../model/principal.ts'
import type { Action, Stamp } from '../model/stamp.ts'
import type { PatchRow, PutRow, Row, Schema, TableName } from '../model/table.ts'
import { guardHook, toEvent } from '../observe/event.ts'
import { type Facts, noteCaller, type Operation, startFacts } from '../observe/facts.ts'
import { failureOf } from '../observe/failure.ts'
import { pullToJson, pushToJson, syncToJson } from '../wire/answer.ts'
import { decodeColumns, decodeLimit, decodeRequest, type PullRequest, type PushRequest } from '../wire/request.ts'
import { createOperations, type SyncOptions } from './sync.ts'

/**
 * A change as a backend pushes it: the wire's, typed by the schema. `at` is microseconds since
 * 1970.
 */
export type ChangeInput<S extends Schema> = {
  [Name in TableName<S>]: {
    readonly table: Name
    readonly id: string
    readonly at: number
    readonly scope?: string
    /** The stamp of the row as it was seen: with another the change is rejected `changed`. */
    readonly if?: Stamp
  } & (
    | { readonly op: 'put'; readonly row: PutRow<S, Name> }
    /** `create`: where no row lives it is the put of its columns. */
    | { readonly op: 'patch'; readonly row: PatchRow<S, Name>; readonly create?: boolean }
    | { readonly op: 'delete' }
  )
}[TableName<S>]

/** A change as it is pulled, or the row that won. A delete has no row. */
export type StoredChange<S extends Schema> = {
  [Name in TableName<S>]: {
    readonly scope: string
    readonly table: Name
    readonly id: string
    readonly at: number
    readonly by: string
    readonly position: number
  } & ({ readonly op: 'put'; readonly row: Row<S, Name> } | { readonly op: 'delete' })
}[TableName<S>]

export type ChangeVerdict<S extends Schema> =
  | {
      readonly verdict: 'applied'
      readonly action: Action
      /** Columns of the change that lost to a greater stamp, where others of it won. */
      readonly lost?: readonly string[]
      readonly current?: StoredChange<S>
    }
  | { readonly verdict: 'duplicate'; readonly current?: StoredChange<S> }
  | { readonly verdict: 'stale'; readonly current: StoredChange<S> }
  /**
   * `current`: the row that is not as `if` says (`changed`), or that holds the key (`key_taken`).
   */
  | { readonly verdict: 'rejected'; readonly error: Rejection; readonly current?: StoredChange<S> }

export interface PushInput<S extends Schema> {
  readonly client: string
  readonly changes?: readonly ChangeInput<S>[]
  readonly atomic?: boolean
  readonly return?: 'all' | 'lost'
  readonly cursor?: string | null
  readonly columns?: ColumnsInput
}

/**
 * What an app knows of the schema, for whom the backend asks: its version, or the columns of each
 * table. Absent: the backend speaks for itself, and knows everything.
 */
export type ColumnsInput = number | { readonly [table: string]: readonly string[] }

export interface PushOutput<S extends Schema> {
  /** The server's time in microseconds. */
  readonly now: number
  readonly verdicts: readonly ChangeVerdict<S>[]
}

export interface PullOutput<S extends Schema> {
  readonly now: number
  readonly changes: readonly StoredChange<S>[]
  readonly cursor: string
  readonly more: boolean
  readonly removed_scopes?: readonly string[]
}

/** The core without HTTP, for a backend's own code: the same requests, answers and `Problem`s. */
export interface Sync<S extends Schema> {
  push(principal: Principal, request: PushInput<S>): Promise<PushOutput<S>>
  pull(
    principal: Principal,
    request?: { readonly cursor?: string | null; readonly limit?: number; readonly columns?: ColumnsInput },
  ): Promise<PullOutput<S>>
  /** The members of the page are there where the request has a `cursor`, null included. */
  sync(
    principal: Principal,
    request: PushInput<S> & { readonly limit?: number },
  ): Promise<PushOutput<S> & Partial<PullOutput<S>>>
}

export function createSync<S extends Schema>(options: SyncOptions & { readonly schema: S }): Sync<S> {
  const { push, pull } = createOperations(options)
  const onSync = guardHook('onSync', options.onSync)

  /**
   * Runs a request, gives its answer as the wire has it, and tells `onSync` of it however it ended.
   */
  async function call(
    operation: Exclude<Operation, 'webhook' | 'import'>,
    principal: Principal,
    answer: (facts: Facts) => Promise<string>,
  ) {
    const facts = startFacts(operation)
    const began = performance.now()
    noteCaller(facts, principal)
    let error: unknown
    try {
      return JSON.parse(await answer(facts))
    } catch (thrown) {
      error = thrown
      throw thrown
    } finally {
      const problem = error === undefined ? undefined : failureOf(error)
      const [requestId, durationMs] = [crypto.randomUUID(), performance.now() - began]
      const event = onSync && toEvent(facts, { requestId, durationMs, aborted: false, error, problem })
      void event?.then((told) => onSync?.({ ...told, operation }))
    }
  }

  return {
    push: (principal, request) =>
      call('push', principal, async (facts) =>
        pushToJson(await push(principal, ofBackend(decodeRequest(request, 'push')), { facts })),
      ),
    sync: (principal, request) =>
      call('sync', principal, async (facts) =>
        syncToJson(await push(principal, ofBackend(decodeRequest(request, 'sync')), { facts })),
      ),
    pull: (principal, { cursor = null, limit, columns } = {}) =>
      call('pull', principal, async (facts) => {
        const from = cursor === null ? null : parseCursor(cursor)
        const request = { cursor: from, limit: decodeLimit(limit), columns: decodeColumns(columns) }
        return pullToJson(await pull(principal, ofBackend(request), { facts }))
      }),
  }
}

const ofBackend = <Request extends PullRequest | PushRequest>(request: Request): Request => ({
  ...request,
  columns: request.columns ?? 'all',
})
