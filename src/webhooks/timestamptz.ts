import { PayloadFault } from './payload.ts'

const form = /^(\d{4,}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::\d\d)?)?$/

/**
 * A timestamptz as Postgres prints it, in microseconds since 1970; a timestamp without a zone is taken as UTC. `Date`
 * knows only milliseconds, and of two updates in the same one the second would be lost as a duplicate.
 */
export function timestamptzToMicroseconds(text: unknown): number {
  const [, seconds, fraction = '', zone = 'Z'] = (typeof text === 'string' && form.exec(text)) || []
  const ms =
    seconds === undefined
      ? Number.NaN
      : Date.parse(`${seconds.replace(' ', 'T')}${zone.length === 3 ? `${zone}:00` : zone}`)
  if (Number.isNaN(ms)) throw new PayloadFault('A timestamp of Postgres looks like 2026-11-21T09:00:00.123456+00:00.')
  return ms * 1000 + Number(fraction.padEnd(6, '0'))
}
