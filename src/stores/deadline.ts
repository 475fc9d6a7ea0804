import { limits } from '../model/limits.ts'
import { tooSlowCode } from './fault.ts'
import { StoreFault } from './store.ts'

/**
 * The work's outcome, or a transient fault once a round trip to the database has taken too long.
 */
export async function withDeadline<Result>(
  work: Promise<Result>,
  msMax: number = limits.databaseMsMax,
): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StoreFault('transient', { message: 'the database did not answer in time', code: tooSlowCode })),
      msMax,
    )
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}
