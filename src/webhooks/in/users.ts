import { PayloadFault } from '../../model/payload-fault.ts'
import type { Schema, TableName } from '../../model/table.ts'
import type { WebhookChange } from './mapping.ts'
import { checkOptions, type ExactRow, type JsonObject, readId, readObject, readText } from './payload.ts'

/** A user as Clerk's events have it: what most rows need of it, and the rest as it comes. */
export interface User {
  readonly id: string
  readonly first_name: string | null
  readonly last_name: string | null
  readonly username: string | null
  readonly image_url: string
  readonly email_addresses: readonly { readonly id: string; readonly email_address: string }[]
  readonly primary_email_address_id: string | null
  /** Milliseconds since 1970. */
  readonly created_at: number
  /** Milliseconds since 1970. */
  readonly updated_at: number
  readonly [member: string]: unknown
}

export type UserRows<S extends Schema, Given> = {
  readonly [Name in TableName<S>]: {
    readonly table: Name
    /**
     * The scope of a user's row: the user's id, which is also the `sub` of their tokens, where this
     * is left out. It gets the id only, since a deletion tells no more.
     */
    scope?(user: Pick<User, 'id'>): string
    /** The id of a user's row: the user's, where this is left out. */
    id?(user: Pick<User, 'id'>): string
    row(user: User): ExactRow<S, Name, Given>
  }
}[TableName<S>]

/**
 * The changes of user events as Clerk sends them through Svix: `user.created`, `user.updated` and
 * `user.deleted`. Other events are ignored. They arrive out of order and more than once, so a row
 * has the stamp of the user's `updated_at`: an older event that comes later is stale. A deletion
 * has the event's own time.
 */
export function userEvents<S extends Schema, Given extends object>(
  schema: S,
  rows: UserRows<S, Given>,
): (payload: unknown) => readonly WebhookChange<S>[] {
  checkOptions(schema, rows, ['table', 'scope', 'id', 'row'], 'userEvents')
  const { table } = rows
  return (payload) => {
    const event = readObject(payload, 'payload')
    const type = readText(event.type, 'type')
    if (type !== 'user.created' && type !== 'user.updated' && type !== 'user.deleted') return []
    const data = readObject(event.data, 'data')
    const user = { id: readText(data.id, 'data.id') }
    const place = {
      scope: rows.scope ? readText(rows.scope(user), 'scope') : user.id,
      table,
      id: rows.id ? readId(rows.id(user), 'id') : user.id,
    }
    const change =
      type === 'user.deleted'
        ? { ...place, op: 'delete', ...deletedAt(event) }
        : { ...place, op: 'put', row: rows.row(data as User), at: writtenAt(data, type) }
    // Typed by the signature above; here a table is one of many.
    return [change as unknown as WebhookChange<S>]
  }
}

/** The user's primary address, for `row`. */
export function primaryEmail({ email_addresses, primary_email_address_id }: User): string | null {
  if (!Array.isArray(email_addresses)) throw new PayloadFault('data.email_addresses must be a list.')
  return email_addresses.find(({ id }) => id === primary_email_address_id)?.email_address ?? null
}

/**
 * Clerk counts milliseconds. Of one and the same, an update comes after the creation and before the
 * deletion.
 */
function writtenAt(data: JsonObject, type: 'user.created' | 'user.updated'): number {
  if (!isMilliseconds(data.updated_at)) throw new PayloadFault('data.updated_at must be milliseconds since 1970.')
  return data.updated_at * 1000 + (type === 'user.created' ? 0 : 1)
}

/**
 * Without a time that can be one, the server stamps the deletion so that it wins: a user that is
 * gone stays gone.
 */
function deletedAt(event: JsonObject): { at?: number } {
  const timestamp = 'timestamp' in event ? event.timestamp : undefined
  return isMilliseconds(timestamp) ? { at: timestamp * 1000 + 999 } : {}
}

/** Milliseconds since 1970, and not seconds. */
function isMilliseconds(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 946_684_800_000 && (value as number) < 2 ** 53 / 1000 - 1
}
