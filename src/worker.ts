/**
 * driftline on Cloudflare Workers: `export default createWorker({ schema, openStore })`, beside the
 * classes of its objects.
 */
export { LiveObject } from './live/workers/live-object.ts'
export type { WorkerEnv } from './runtime/workers/env.ts'
export { type D1Options, openD1 } from './runtime/workers/open-d1.ts'
export { openObjects } from './runtime/workers/open-objects.ts'
export { createScopeObject, type ScopeObjectOptions } from './runtime/workers/scope-object.ts'
export { createWorker, type Worker, type WorkerOptions } from './runtime/workers/worker.ts'
