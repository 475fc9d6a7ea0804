/** The part of the runtime's module that driftline uses. Its own types would replace those of Node everywhere. */
declare module 'cloudflare:workers' {
  import type { DurableObjectState } from '@cloudflare/workers-types'

  export abstract class DurableObject {
    constructor(state: DurableObjectState, env: unknown)
  }
}
