import { type Problem, problems } from '../model/errors.ts'
import { type Facts, hashScope, type RequestEvent } from './facts.ts'
import { faultOf } from './failure.ts'
import { logError } from './log.ts'

/** How a request ended. `problem` is what `error` was answered as. */
export interface Ending {
  readonly requestId: string
  readonly durationMs: number
  readonly aborted: boolean
  readonly error?: unknown
  readonly problem?: Problem | undefined
}

/** Everything that may be told of a request. `scope` and the error's message stay behind. */
export async function toEvent(
  { scope, ended: _, ...facts }: Facts,
  { error, problem, ...ending }: Ending,
): Promise<Omit<RequestEvent, 'method' | 'route'>> {
  return {
    ...facts,
    ...ending,
    ...faultOf(error),
    status: problem ? problems[problem.code].status : 200,
    code: problem?.code,
    scopeHash: scope === undefined ? undefined : await hashScope(scope),
  }
}

/**
 * A hook as it may be called: whatever it throws or rejects with harms nothing, and is logged the
 * first time.
 */
export function guardHook<Event>(
  name: string,
  hook: ((event: Event) => unknown) | undefined,
): ((event: Event) => void) | undefined {
  if (!hook) return undefined
  let logged = false
  const failed = (error: unknown) => {
    if (!logged) logError(name, error)
    logged = true
  }
  return (event) => {
    try {
      Promise.resolve(hook(event)).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
