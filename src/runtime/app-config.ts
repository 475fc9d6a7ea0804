import type { Schema } from '../model/table.ts'
import type { WebhookSources } from '../webhooks/in/sources.ts'

/** Someone's app. */
export interface AppConfig<S extends Schema> {
  readonly schema: S
  /** Where its webhooks come from: how they are signed, and become changes. */
  readonly sources?: WebhookSources<S>
}

/** What `driftline.config.ts` has as its default export. */
export function defineConfig<S extends Schema>(config: AppConfig<S>): AppConfig<S> {
  return config
}
