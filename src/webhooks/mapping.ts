import type { ChangeInput } from '../create-sync.ts'
import type { Schema } from '../sync/table.ts'

/**
 * A change out of a webhook. Without `at` the server stamps it so that it wins over whatever is stored: a system of
 * record sends no stamps. Without `scope` it goes where the webhook says for all.
 */
export type WebhookChange<S extends Schema> =
  ChangeInput<S> extends infer Change
    ? Change extends unknown
      ? Omit<Change, 'at'> & { readonly at?: number }
      : never
    : never

/** Turns the payload of a verified webhook into changes, none to ignore it. What it throws is answered with 422. */
export type MapWebhook<S extends Schema> = (
  payload: unknown,
) => readonly WebhookChange<S>[] | Promise<readonly WebhookChange<S>[]>
