import type { Schema } from '../../model/table.ts'
import type { MapWebhook } from './mapping.ts'
import type { Delivery, SchemeName } from './schemes.ts'

/**
 * Says whether a webhook is its sender's: gives its id, which takes effect once, or the empty text
 * where it has none, and undefined where it is not. What it throws is logged, and answered as if it
 * had given undefined. Compare what is secret by `timingSafeEqual` of node:crypto.
 */
export type VerifyOwn = (
  delivery: Delivery & { readonly secrets: readonly string[] },
) => string | undefined | Promise<string | undefined>

/** What is known of a source of webhooks beside its secrets. */
export interface WebhookSource<S extends Schema> {
  /** For payloads in the sender's own form. Without it the body is a change set. */
  readonly map?: MapWebhook<S>
  /**
   * How its webhooks are signed: Standard Webhooks, which is also Svix', unless this says
   * otherwise.
   */
  readonly verify?: SchemeName | VerifyOwn
  /** The scopes that it may write, where `*` stands for any text: `team:*`. All by default. */
  readonly scopes?: readonly string[]
}

/** By the source's name in the path. */
export type WebhookSources<S extends Schema> = Readonly<Record<string, WebhookSource<S>>>
