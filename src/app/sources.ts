import type { WebhookSources } from '../webhooks/in/sources.ts'
import type { schema } from './schema.ts'

/**
 * How the webhooks of your sources are signed (`verify`) and become changes (`map`): yours to edit.
 * A source without an entry signs as Standard Webhooks say and sends change sets. See
 * docs/webhooks.md; their secrets are in `WEBHOOK_SECRETS`.
 */
export const sources: WebhookSources<typeof schema> = {}
