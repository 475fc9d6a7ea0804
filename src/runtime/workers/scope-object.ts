import { DurableObject } from 'cloudflare:workers'
import type { DurableObjectState } from '@cloudflare/workers-types'
import type { Migration } from '../../migrations/migration.ts'
import type { Schema } from '../../model/table.ts'
import { prune } from '../../prune/prune.ts'
import { parseRetention, retentionMsDefault } from '../../prune/retention.ts'
import { deliverySql } from '../../sql/delivery-sql.ts'
import { sqliteScope } from '../../sql/sqlite/object.ts'
import type { Statement } from '../../sql/statement.ts'
import type { ObjectAnswer, PackedRehearsal, PackedStatement, RehearsalAnswer } from '../../stores/durable-object.ts'
import { sqliteFault } from '../../stores/fault.ts'
import { type ObjectStorage, objectStorage } from '../../stores/object-storage.ts'
import { StoreFault } from '../../stores/store.ts'
import { readEndpoints } from '../../webhooks/out/endpoints.ts'
import { fetchPost } from '../../webhooks/out/fetch-post.ts'
import { createSender } from '../../webhooks/out/send.ts'
import { migrateHere } from './migrate-here.ts'

/** Someone's app, as its objects need it. */
export interface ScopeObjectOptions {
  readonly schema: Schema
  /** What `npx driftline bundle` writes into `migrations/sqlite.json`. */
  readonly migrations: readonly Migration[]
}

/**
 * The class of Durable Objects of a schema, for the binding SCOPES: `export class ScopeObject
 * extends createScopeObject({ schema, migrations }) {}`, of `migrations/sqlite.json`.
 */
export function createScopeObject({ schema, migrations }: ScopeObjectOptions) {
  return class extends ScopeDatabase {
    constructor(state: DurableObjectState, env: ObjectEnv) {
      super(state, env, schema, migrations)
    }
  }
}

/**
 * The database of one scope. It brings its tables up to date when it wakes, also into a newer
 * deploy: one read where there is nothing to do. An answer leaves the object only when what it
 * wrote is durable.
 */
export class ScopeDatabase extends DurableObject {
  readonly #storage: DurableObjectState['storage']
  readonly #store: ObjectStorage
  readonly #schema: Schema
  readonly #migrations: readonly Migration[]
  readonly #env: ObjectEnv
  #migrated = false
  /** Whether an alarm was set or seen since the object woke. */
  #alarmed = false
  /** The next alarm after this time prunes; those before it only send. In milliseconds. */
  #pruneAt = 0

  constructor(state: DurableObjectState, env: ObjectEnv, schema: Schema, migrations: readonly Migration[]) {
    super(state, env)
    this.#schema = schema
    this.#storage = state.storage
    this.#store = objectStorage(state, schema)
    this.#migrations = migrations
    this.#env = env
  }

  /** Runs the statements in order, all or none. Never fails: a fault is an answer. */
  async batch(statements: readonly Statement[]): Promise<ObjectAnswer> {
    try {
      await this.#bringUpToDate()
      const rows = await this.#store.batch('', statements)
      if (!this.#alarmed) await this.#wakeAt(Date.now() + this.#pauseMs())
      this.#alarmed = true
      return { rows }
    } catch (error) {
      return { fault: toFault(error) }
    }
  }

  /** Tries groups of statements, and keeps nothing. */
  async rehearse({ texts, opening, groups, closing }: PackedRehearsal): Promise<RehearsalAnswer> {
    const unpack = (statements: readonly PackedStatement[]) =>
      statements.map(([text, params]): Statement => ({ sql: texts[text] ?? '', params }))
    try {
      await this.#bringUpToDate()
      const rehearsal = { opening: unpack(opening), groups: groups.map(unpack), closing: unpack(closing) }
      const rehearsed = await this.#store.rehearse('', rehearsal)
      return { faults: rehearsed.faults.map((fault) => fault && toFault(fault)), closing: rehearsed.closing }
    } catch (error) {
      return { fault: toFault(error) }
    }
  }

  /**
   * Sends what is due of outgoing webhooks, and prunes. Nothing that waits, and nothing written
   * since means nothing to prune: then the object sleeps until somebody needs it.
   */
  async alarm(): Promise<void> {
    this.#alarmed = false
    await this.#bringUpToDate()
    const sendAt = await this.#send()
    if (Date.now() >= this.#pruneAt) {
      await prune(this.#store, this.#schema, { retentionMs: this.#retentionMs() })
      this.#pruneAt = Date.now() + this.#pauseMs()
    }
    const [rows] = await this.#store.batch('', [{ sql: unpruned, params: [], reads: true }])
    const next = Math.min(sendAt, rows?.length ? this.#pruneAt : Number.POSITIVE_INFINITY)
    if (next < Number.POSITIVE_INFINITY) await this.#wakeAt(next)
  }

  /** Gives when the next webhook is due, in milliseconds. */
  async #send(): Promise<number> {
    const endpoints = readEndpoints(this.#env.WEBHOOK_ENDPOINTS, this.#env.WEBHOOK_ALLOW_PRIVATE === 'true')
    if (endpoints.length === 0) return Number.POSITIVE_INFINITY
    const began = Date.now()
    const signal = {
      get aborted() {
        return Date.now() - began > sendMsMax
      },
    }
    const sender = createSender({ store: this.#store, schema: this.#schema, endpoints, post: fetchPost(), signal })
    const [scopes = []] = await this.#store.batch('', [
      { sql: deliverySql(sqliteScope).scopes, params: [], reads: true },
    ])
    const times = await Promise.all(scopes.map(([scope]) => sender.sendScope(String(scope))))
    return Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY))
  }

  /** Unless an earlier alarm is set. */
  async #wakeAt(time: number): Promise<void> {
    const set = await this.#storage.getAlarm()
    if (set === null || time < set) await this.#storage.setAlarm(time)
  }

  #pauseMs(): number {
    return Math.max(3_600_000, this.#retentionMs() / 30)
  }

  /** The worker answers a wrong setting with a sentence before any object is called. */
  #retentionMs(): number {
    const { RETENTION: retention } = this.#env
    return retention ? parseRetention('RETENTION', retention) : retentionMsDefault
  }

  /** Two calls at once may both come here; the second finds everything recorded. */
  async #bringUpToDate(): Promise<void> {
    if (this.#migrated) return
    await migrateHere(this.#store, this.#migrations)
    this.#store.readKeys()
    this.#migrated = true
  }
}

/**
 * An alarm may take 15 minutes, and one that fails six times is forgotten: what is left then is the
 * next one's.
 */
const sendMsMax = 60_000

/** The scope, where rows were stored beyond what is pruned, or webhooks are kept. */
const unpruned = `SELECT scope$.scope FROM driftline_scopes AS scope$
WHERE scope$.position > coalesce((SELECT max(mark$.position) FROM driftline_marks AS mark$ WHERE mark$.at = 0), 0)
OR EXISTS (SELECT 1 FROM driftline_inbox)`

export interface ObjectEnv {
  readonly RETENTION?: string
  readonly WEBHOOK_ENDPOINTS?: string
  readonly WEBHOOK_ALLOW_PRIVATE?: string
}

function toFault(error: unknown): Extract<ObjectAnswer, { fault: unknown }>['fault'] {
  const { kind, message, code, constraint } = error instanceof StoreFault ? error : sqliteFault(error)
  return { kind, message, code, constraint }
}
