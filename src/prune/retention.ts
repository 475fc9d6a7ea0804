/**
 * How long tombstones are kept, unless a setting says otherwise: a phone may be away for so long
 * without a resync.
 */
export const retentionMsDefault = 90 * 24 * 3_600_000

/** `90d` or `12h` in milliseconds. `name` is the setting, for the sentence of the `TypeError`. */
export function parseRetention(name: string, text: string): number {
  const [, count, unit] = /^(\d{1,5})(d|h)$/.exec(text) ?? []
  if (count === undefined) throw new TypeError(`${name} must be a number of days or hours, such as 90d or 12h`)
  return Number(count) * (unit === 'd' ? 24 : 1) * 3_600_000
}
