/** driftline on Cloudflare Workers: `export default createWorker({ schema })`, beside the classes of its objects. */
export { LiveObject } from './live/workers/live-object.ts'
export { createScopeObject } from './runtime/workers/scope-object.ts'
export type { WorkerEnv } from './runtime/workers/store.ts'
export { createWorker, type Worker, type WorkerOptions } from './runtime/workers/worker.ts'
