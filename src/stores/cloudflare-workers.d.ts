/**
 * The part of the runtime's module that driftline uses. Its own types would replace those of Node
 * everywhere.
 */
declare module 'cloudflare:workers' {
  import type { DurableObjectState } from '@cloudflare/workers-types'

  export abstract class DurableObject {
    constructor(state: DurableObjectState, env: unknown)
  }

  /** Keeps the request that runs just now alive until the promise has settled, after its answer. */
  export function waitUntil(promise: Promise<unknown>): void
}
