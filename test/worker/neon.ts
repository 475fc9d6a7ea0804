import type { ExecutionContext } from '@cloudflare/workers-types'
import type { WorkerEnv } from '../../src/runtime/workers/env.ts'
import { neonConfig } from '../../src/stores/neon.ts'
import worker from '../support/project/worker.ts'

export { LiveObject } from '../support/project/worker.ts'

/** The worker itself, with Neon's endpoint on this machine. */
export default {
  fetch(
    request: Request,
    env: WorkerEnv & { readonly NEON_ENDPOINT: string },
    context: ExecutionContext,
  ): Promise<Response> {
    neonConfig.fetchEndpoint = () => env.NEON_ENDPOINT
    return worker.fetch(request, env, context)
  },
  scheduled(event: { readonly cron: string }, env: WorkerEnv & { readonly NEON_ENDPOINT: string }): Promise<void> {
    neonConfig.fetchEndpoint = () => env.NEON_ENDPOINT
    return worker.scheduled(event, env)
  },
}
