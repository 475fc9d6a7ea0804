import type { Environment } from './environment.ts'

/** An environment that knows which of its names were read. */
export interface WatchedEnvironment {
  readonly env: Environment
  /**
   * A line for each variable that nobody read and that is one letter away from one that was read
   * and is not there: `CORS_ORIGIN`, say. An environment holds much that is for others, so that no
   * name in it can be refused.
   */
  misspelt(): string[]
}

/** Shorter names, such as `HOST` and `POST`, are alike by chance. */
const lettersMin = 8

export function watchEnvironment(env: Environment): WatchedEnvironment {
  const read = new Set<string>()
  return {
    env: new Proxy(env, {
      get(target, name) {
        read.add(String(name))
        return Reflect.get(target, name)
      },
    }),
    misspelt: () =>
      Object.keys(env).flatMap((name) => {
        if (read.has(name) || name.length < lettersMin) return []
        const isMeant = (known: string) => known.length >= lettersMin && !env[known] && isOneLetterAway(name, known)
        const meant = [...read].find(isMeant)
        return meant === undefined ? [] : [`${name} is no setting: ${meant} is.`]
      }),
  }
}

/** One letter more, less, or another, two that changed their places, or another case. */
function isOneLetterAway(one: string, other: string): boolean {
  const [given, known] = [one.toUpperCase(), other]
  let start = 0
  while (start < known.length && given[start] === known[start]) start++
  const rest = (text: string, from: number) => text.slice(start + from)
  if (Math.abs(given.length - known.length) > 1) return false
  if (given.length !== known.length)
    return given.length > known.length ? rest(given, 1) === rest(known, 0) : rest(given, 0) === rest(known, 1)
  const isSwapped = given[start] === known[start + 1] && given[start + 1] === known[start]
  return rest(given, 1) === rest(known, 1) || (isSwapped && rest(given, 2) === rest(known, 2))
}
