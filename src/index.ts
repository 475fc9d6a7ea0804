/**
 * driftline's public surface. Stores and dialects are imported from their own files, so that an app
 * bundles only what it uses.
 */

export type { ImportRow } from './bulk/import-row.ts'
export { type AppOptions, createApp } from './http/app.ts'
export { boolean, bytes, counter, decimal, integer, json, real, text, timestamp, uuid } from './model/column.ts'
export { defineSchema } from './model/define-schema.ts'
export { Problem, type ProblemCode, problems, type Rejection, type RejectionCode } from './model/errors.ts'
export { limits } from './model/limits.ts'
export { PayloadFault } from './model/payload-fault.ts'
export type { Access, Principal } from './model/principal.ts'
export { byColumn, type PatchRow, type PutRow, type Row, type Schema, type TableName } from './model/table.ts'
export type { RequestEvent, SyncEvent } from './observe/facts.ts'
export { type AppConfig, defineConfig } from './runtime/app-config.ts'
export { signToken } from './runtime/sign-token.ts'
export type { Cells } from './sql/statement.ts'
export type { Store } from './stores/store.ts'
export { StoreFault } from './stores/store.ts'
export { adopted, sql } from './sync/adopted/adopted.ts'
export { createSync, type Sync } from './sync/create-sync.ts'
export type { MapWebhook, WebhookChange } from './webhooks/in/mapping.ts'
export type { WebhookSource, WebhookSources } from './webhooks/in/sources.ts'
export { createRecorder } from './webhooks/out/record.ts'
