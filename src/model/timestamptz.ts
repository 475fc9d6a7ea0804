import { PayloadFault } from './payload-fault.ts'
import { formatTime, parsePrintedTime, type SecondDigits, type Time } from './time.ts'

/**
 * A timestamptz as Postgres prints it, in microseconds since 1970; a timestamp without a zone is
 * taken as UTC. `Date` knows only milliseconds, and of two updates in the same one the second would
 * be lost as a duplicate.
 */
export function timestamptzToMicroseconds(text: unknown): number {
  const { ms, fraction } = readTime(text)
  if (fraction.length > 6) throw fault()
  return ms * 1000 + Number(fraction.padEnd(6, '0'))
}

/**
 * A timestamptz as Postgres prints it, as the value of a column `timestamp`, whose digits it has:
 * what is finer is cut.
 * A timestamp without a zone is taken as UTC, and null stays null. What no such column holds,
 * `infinity` and years before
 * 0001 or after 9999, is refused.
 */
export function timestamptzToTimestamp(text: string, digits?: SecondDigits): string
export function timestamptzToTimestamp(text: string | null, digits?: SecondDigits): string | null
export function timestamptzToTimestamp(text: string | null, digits: SecondDigits = 3): string | null {
  return text === null ? null : formatTime(readTime(text), digits)
}

const fault = () => new PayloadFault('A timestamp of Postgres looks like 2026-11-21T09:00:00.123456+00:00.')

function readTime(text: unknown): Time {
  const time = typeof text === 'string' ? parsePrintedTime(text, 'Z') : 'form'
  if (typeof time === 'string') throw fault()
  return time
}
