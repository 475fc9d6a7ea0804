/** How many digits of a second a column of type `timestamp` keeps. */
export type SecondDigits = 3 | 6

/** A time as somebody wrote it. */
export interface Time {
  /** Whole seconds since 1970, as milliseconds. */
  readonly ms: number
  /** The digits behind the point, without noughts at their end. */
  readonly fraction: string
}

/** Why a text is no time that can be kept. */
export type TimeFault = 'form' | 'day' | 'range'

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/
/**
 * Also as Postgres, SQLite and others print it: an offset of hours alone, or with seconds, or none;
 * without seconds.
 */
const printed = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?: ?([Zz]|[+-]\d\d(?::?\d\d){0,2}))?$/

/** A time of RFC 3339 with its offset, in any case of T and Z. */
export function parseTime(text: string): Time | TimeFault {
  return toTime(rfc3339.exec(text))
}

/**
 * A time as databases and spreadsheets print it. `zone` is that of a time without one; without it
 * such a time is no time.
 */
export function parsePrintedTime(text: string, zone?: 'Z'): Time | TimeFault {
  const parts = printed.exec(text)
  return parts && parts[8] === undefined && zone === undefined ? 'form' : toTime(parts)
}

/**
 * `Date` takes the 31st of June for the 1st of July, and 24:00 for the next day: whoever wrote it
 * meant something else. A leap second, which neither database keeps, is no time here.
 */
function toTime(parts: RegExpExecArray | null): Time | TimeFault {
  if (!parts) return 'form'
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0))
  if (!isDay(year, month, day)) return 'day'
  if (year === 0) return 'range'
  const offset = parseOffset(parts[8] ?? 'Z')
  if (hour > 23 || minute > 59 || second > 59 || offset === undefined) return 'form'
  // Date.UTC takes years below 100 for others.
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second - offset)
  const utcYear = date.getUTCFullYear()
  if (utcYear < 1 || utcYear > 9999) return 'range'
  return { ms: date.getTime(), fraction: withoutNoughts(parts[7] ?? '') }
}

/** A pattern would go over a long row of noughts once for each of them. */
function withoutNoughts(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return digits.slice(0, end)
}

function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31)
}

/** Seconds east of Greenwich. */
function parseOffset(text: string): number | undefined {
  if (/^z$/i.test(text)) return 0
  const [hours = 0, minutes = 0, seconds = 0] = (text.match(/\d\d/g) ?? []).map(Number)
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined
  return (text.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds)
}

/**
 * The one spelling of a time that is stored: UTC, with so many digits. What it has beyond them is
 * cut.
 */
export function formatTime({ ms, fraction }: Time, digits: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}.${fraction.slice(0, digits).padEnd(digits, '0')}Z`
}
