const [second, minute, hour] = [1_000, 60_000, 3_600_000]

/**
 * The pauses between the tries of one delivery, three days in all: the schedule of Standard
 * Webhooks.
 */
export const pausesMs: readonly number[] = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
]

/** The most that a receiver may ask for with Retry-After. */
export const retryAfterMsMax = 24 * hour

/**
 * How long to wait after so many failed tries: up to a fifth longer than the schedule says, so that
 * what failed together does not come back together, and never less than the receiver asked for.
 * Nothing: that was the last try. `random` is from 0 to below 1.
 */
export function pauseAfter(attempts: number, random: number, retryAfterMs = 0): number | undefined {
  const pause = pausesMs[attempts - 1]
  return pause === undefined ? undefined : Math.max(Math.round(pause * (1 + random / 5)), retryAfterMs)
}

/**
 * A Retry-After, seconds or a date, in milliseconds from `now`. What cannot be read asks for
 * nothing.
 */
export function parseRetryAfter(text: string | null | undefined, now: number): number {
  if (!text) return 0
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * second : parseHttpDate(text) - now
  return ms > 0 ? Math.min(ms, retryAfterMsMax) : 0
}

/** Milliseconds since 1970. `Date` takes the 30th of February for a day of March. */
function parseHttpDate(text: string): number {
  const ms = Date.parse(text)
  const day = /\d+/.exec(text)?.[0]
  return Number.isNaN(ms) || Number(day) !== new Date(ms).getUTCDate() ? Number.NaN : ms
}
