import { clientRule, isClient, isObject, quote } from '../model/change.ts'
import { parseCursor } from '../model/cursor.ts'
import type { Cursor } from '../model/cursor-entry.ts'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Tally } from '../model/verdict.ts'

/** How much of the rows that were written the verdicts repeat. */
export type Return = 'all' | 'lost'

/** A request that has the form of the contract; its changes are decoded one by one, later. */
export interface SyncRequest {
  readonly client: string
  readonly changes: readonly unknown[]
  readonly atomic: boolean
  readonly return: Return
  /** Absent: no changes are asked for. Null: from the beginning. */
  readonly cursor?: Cursor | null
  /** The cursor is only held against its scopes, as that of a push: no row is read for it. */
  readonly checksOnly?: boolean
  readonly limit: number
  /** The changes are a webhook's, whose source is the client. */
  readonly webhook?: WebhookRequest
  /** Digits of times that their columns do not keep are cut: in an import that asks for it. */
  readonly cutDigits?: boolean | undefined
  /**
   * The changes are a part of an import, which says where it may write; they may have the form that
   * they are pulled in.
   */
  readonly grant?: Grant
  /**
   * Nothing is written before this, what came of the chunk before, and nothing at all where it
   * fails: what can be done without is done meanwhile.
   */
  readonly after?: Promise<Pick<Tally, 'applied'>> | undefined
  /** They are puts and deletes, each of a row of its own, and are counted instead of answered. */
  readonly bulk?: {
    /** Most of them are expected to be stored already: look before anything is written. */
    readonly peek: boolean
  }
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

/** What a webhook has beside its changes. */
export interface WebhookRequest extends Grant {
  /** Its id, which takes effect once. */
  readonly id: string
}

const pushMembers = ['client', 'changes', 'atomic', 'return', 'cursor']
const syncMembers = [...pushMembers, 'limit']

/**
 * Decodes the body of a sync, or of a push, whose cursor is only checked. Throws a `Problem` that
 * names the member.
 */
export function decodeRequest(body: unknown, half: 'sync' | 'push'): SyncRequest {
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
  const request = { client, changes, atomic, return: returned, limit: decodeLimit(limit) } as const
  if (cursor === undefined) return request
  if (cursor !== null && typeof cursor !== 'string') throw malformed('"cursor" must be text or null.')
  return { ...request, cursor: cursor === null ? null : parseCursor(cursor), checksOnly: half === 'push' }
}

const webhookMembers = ['scope', 'changes', 'atomic', 'client']

/**
 * Decodes the body of a webhook, or what its mapping made of it. Throws a `Problem` that names the
 * member.
 */
export function decodeWebhook(
  body: unknown,
  source: string,
  { id, isAllowed = () => true }: { readonly id: string; readonly isAllowed?: WebhookRequest['isAllowed'] },
): SyncRequest {
  if (!isObject(body)) throw malformed('The body must be a JSON object.')
  for (const member of Object.keys(body)) {
    if (!webhookMembers.includes(member))
      throw malformed(`A webhook has no member ${quote(member)}. It has ${webhookMembers.join(', ')}.`)
  }
  const { scope, ...push } = body
  if (push.client !== undefined && push.client !== source) throw malformed(`"client" is the source here: ${source}.`)
  if (scope !== undefined && typeof scope !== 'string') throw malformed('"scope" must be text.')
  if (push.changes === undefined) throw malformed('A webhook needs "changes", an array.')
  return { ...decodeRequest({ ...push, client: source }, 'push'), webhook: { id, scope, isAllowed } }
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
