import { clientRule, isClient } from '../model/change.ts'
import { parseCursor } from '../model/cursor.ts'
import type { Cursor } from '../model/cursor-entry.ts'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { isObject, quote } from '../model/untrusted.ts'
import type { Tally } from '../model/verdict.ts'
import type { AppColumns } from '../model/view.ts'

/** How much of the rows that were written the verdicts repeat. */
export type Return = 'all' | 'lost'

/** A change set that has the form of the contract; its changes are decoded one by one, later. */
export interface PushRequest {
  readonly client: string
  readonly changes: readonly unknown[]
  readonly atomic: boolean
  readonly return: Return
  /** Absent: no changes are asked for. Null: from the beginning. */
  readonly cursor?: Cursor | null
  /**
   * Of a sync: the rows of the page that it asks for by its cursor. Absent, as in a push: the
   * cursor is only held against its scopes, and no row is read.
   */
  readonly limit?: number
  /** What the app knows of the schema. Absent: it does not say. */
  readonly columns?: AppColumns | undefined
}

export interface PullRequest {
  /** Null: from the beginning. */
  readonly cursor: Cursor | null
  /** The rows of the page, over all scopes and tables. */
  readonly limit: number
  /** What the app knows of the schema. Absent: it does not say. */
  readonly columns?: AppColumns | undefined
  /** Whether it is told how many rows are to come. */
  readonly count?: boolean
}

/** Where changes may go, for those who name the scope themselves. */
export interface Grant {
  /** Where changes go that name no scope. */
  readonly scope: string | undefined
  /** Whether they may write a scope. */
  readonly isAllowed: (scope: string) => boolean
  /** A token says so, and another one may say otherwise. */
  readonly byToken?: boolean
}

/** A webhook, whose client is its source. */
export interface ReceiveRequest {
  readonly source: string
  /** Its id, which takes effect once. */
  readonly id: string
  readonly grant: Grant
  readonly changes: readonly unknown[]
  readonly atomic: boolean
}

/** A part of an import. Its changes may have the form that they are pulled in. */
export interface ImportRequest {
  /** Who writes the changes that do not say it themselves. */
  readonly client: string
  readonly changes: readonly unknown[]
  readonly grant: Grant
  /** Digits of times that their columns do not keep are cut. */
  readonly cutDigits?: boolean | undefined
  /**
   * Nothing is written before this, what came of the chunk before, and nothing at all where it
   * fails: what can be done without is done meanwhile.
   */
  readonly after?: Promise<Pick<Tally, 'applied'>> | undefined
  /** Most of the changes are expected to be stored already: look before anything is written. */
  readonly looks: boolean
}

const pushMembers = ['client', 'changes', 'atomic', 'return', 'cursor', 'columns']
const syncMembers = [...pushMembers, 'limit']

/**
 * Decodes the body of a sync, or of a push, whose cursor is only checked. Throws a `Problem` that
 * names the member.
 */
export function decodeRequest(body: unknown, half: 'sync' | 'push'): PushRequest {
  if (!isObject(body)) throw malformed('The body must be a JSON object.')
  const known = half === 'sync' ? syncMembers : pushMembers
  for (const member of Object.keys(body)) {
    if (!known.includes(member))
      throw malformed(`A ${half} has no member ${quote(member)}. It has ${known.join(', ')}.`)
  }
  const { client, changes = [], atomic = false, return: returned = 'all', cursor, limit } = body
  if (!isClient(client)) throw malformed(`"client" must be ${clientRule}.`)
  if (!Array.isArray(changes)) throw malformed('"changes" must be an array.')
  if (changes.length > limits.changesMax) {
    throw new Problem(
      'too_many_changes',
      `A change set holds ${limits.changesMax} changes at most. Send the rest in another one.`,
    )
  }
  if (typeof atomic !== 'boolean') throw malformed('"atomic" must be true or false.')
  if (returned !== 'all' && returned !== 'lost') throw malformed('"return" must be all or lost.')
  const page = half === 'sync' ? { limit: decodeLimit(limit) } : {}
  const columns = decodeColumns(body.columns)
  const request = { client, changes, atomic, return: returned, columns, ...page } as const
  if (cursor === undefined) return request
  if (cursor !== null && typeof cursor !== 'string') throw malformed('"cursor" must be text or null.')
  return { ...request, cursor: cursor === null ? null : parseCursor(cursor) }
}

/**
 * What an app says that it knows: its version, or the columns of each table. What the server does
 * not know of that it passes over: the app may be newer.
 */
export function decodeColumns(columns: unknown): AppColumns | undefined {
  if (columns === undefined) return undefined
  if (Number.isSafeInteger(columns) && (columns as number) >= 1) return columns as number
  if (!isObject(columns)) throw malformed(columnsRule)
  const known = new Map<string, ReadonlySet<string>>()
  for (const [table, names] of Object.entries(columns)) {
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) throw malformed(columnsRule)
    known.set(table, new Set(names))
  }
  return known
}

const columnsRule =
  '"columns" must be the version of the app, an integer from 1 on, or an object of tables, each with the names of the columns that the app knows.'

const webhookMembers = ['scope', 'changes', 'atomic', 'client']

/**
 * Decodes the body of a webhook, or what its mapping made of it. Throws a `Problem` that names the
 * member.
 */
export function decodeWebhook(
  body: unknown,
  source: string,
  { id, isAllowed = () => true }: { readonly id: string; readonly isAllowed?: Grant['isAllowed'] },
): ReceiveRequest {
  if (!isObject(body)) throw malformed('The body must be a JSON object.')
  for (const member of Object.keys(body)) {
    if (!webhookMembers.includes(member))
      throw malformed(`A webhook has no member ${quote(member)}. It has ${webhookMembers.join(', ')}.`)
  }
  const { scope, ...push } = body
  if (push.client !== undefined && push.client !== source) throw malformed(`"client" is the source here: ${source}.`)
  if (scope !== undefined && typeof scope !== 'string') throw malformed('"scope" must be text.')
  if (push.changes === undefined) throw malformed('A webhook needs "changes", an array.')
  const { changes, atomic } = decodeRequest({ ...push, client: source }, 'push')
  return { source, id, grant: { scope, isAllowed }, changes, atomic }
}

/** The rows of a page: a whole number within the limits, the default where none is given. */
export function decodeLimit(limit: unknown): number {
  if (limit === undefined) return limits.pageRowsDefault
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > limits.pageRowsMax) {
    throw malformed(`"limit" must be a whole number from 1 to ${limits.pageRowsMax}.`)
  }
  return limit as number
}

export function malformed(detail: string): Problem {
  return new Problem('malformed', detail)
}
