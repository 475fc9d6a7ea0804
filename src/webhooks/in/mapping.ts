import type { Schema } from '../../model/table.ts'
import type { ChangeInput } from '../../sync/create-sync.ts'

/**
 * A change as a webhook brings it. With `at`, microseconds since 1970, it is plain last writer
 * wins. Without, the server stamps it so that it wins over what is stored: a system of record knows
 * no clock of driftline's.
 */
export type WebhookChange<S extends Schema> = Unstamped<ChangeInput<S>>

/**
 * Turns the payload of a verified webhook into changes; `[]` ignores it. Some senders say what it
 * is in a header, such as `X-GitHub-Event` and `X-Shopify-Topic`. What it throws is answered with
 * 422.
 */
export type MapWebhook<S extends Schema> = (
  payload: unknown,
  headers: Headers,
) => readonly WebhookChange<S>[] | Promise<readonly WebhookChange<S>[]>

// Conditional, so that each kind of change keeps its own row.
type Unstamped<Change> = Change extends { readonly at: number } ? Omit<Change, 'at'> & { readonly at?: number } : never
