/** driftline's public surface. Stores and dialects are imported from their own files, so that an app bundles only what it uses. */

export { answerToJson } from './answer.ts'
export { type AppOptions, createApp } from './app.ts'
export { createSync, type Sync } from './create-sync.ts'
export { Problem, type ProblemCode, problems, type Rejection, type RejectionCode } from './errors.ts'
export type { RequestEvent, SyncEvent } from './facts.ts'
export { limits } from './limits.ts'
export type { Cells, Store } from './stores/store.ts'
export { StoreFault } from './stores/store.ts'
export type { Access, Principal } from './sync/authorize.ts'
export {
  boolean,
  bytes,
  decimal,
  defineSchema,
  integer,
  json,
  type PatchRow,
  type PutRow,
  type Row,
  real,
  type Schema,
  type TableName,
  text,
  timestamp,
  uuid,
} from './sync/table.ts'
export { signToken } from './token.ts'
export type { MapWebhook, WebhookChange } from './webhooks/mapping.ts'
export { PayloadFault } from './webhooks/payload.ts'
export type { WebhookSource, WebhookSources } from './webhooks/sources.ts'
