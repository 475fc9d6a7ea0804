/** How a file writes its numbers. */
export interface NumberForm {
  readonly decimal: '.' | ','
  /** What stands between thousands. A space is any space, an apostrophe the typographic one too. */
  readonly group: string | undefined
  /** Somebody said so; else a column that could mean either ends the import. */
  readonly isTold: boolean
}

export const plainNumbers: NumberForm = { decimal: '.', group: undefined, isTold: false }

/**
 * Makes of a number in that form the one that a program would write, and nothing of what is none.
 */
export function numberMender({ decimal, group }: NumberForm): (field: string) => string | undefined {
  if (decimal === '.' && group === undefined) return (field) => field
  const between = group === undefined ? undefined : groupClass(group)
  // Thousands, or as in India hundreds above the first thousand.
  const grouped = between && `\\d{1,3}(?:${between}\\d{3})+|\\d{1,2}(?:${between}\\d{2})+${between}\\d{3}`
  const point = decimal === '.' ? '\\.' : ','
  const form = new RegExp(
    `^-?(?:(?:${grouped ? `${grouped}|` : ''}\\d+)(?:${point}\\d*)?|${point}\\d+)(?:[eE][+-]?\\d+)?$`,
  )
  const groups = between && new RegExp(between, 'g')
  return (field) => {
    if (!form.test(field)) return undefined
    const digits = groups ? field.replace(groups, '') : field
    return decimal === ',' ? digits.replace(',', '.') : digits
  }
}

const groupClass = (group: string): string =>
  isSpace(group) ? '[ \\u00a0\\u2009\\u202f]' : group === "'" || group === '\u2019' ? "['\\u2019]" : `\\${group}`

export const isSpace = (group: string): boolean => /^[ \u00a0\u2009\u202f]$/.test(group)

/**
 * Why a field is no number, in words that follow "must be a finite number", as far as its look
 * tells.
 */
export function sayNumber(field: string, { decimal, group }: NumberForm): string | undefined {
  if (/\p{Sc}/u.test(field) || /^\s*[A-Z]{3}\s*[\d.,]|\d\s*[A-Z]{3}\s*$/.test(field))
    return 'this one has a sign or name of a currency: leave a number alone there'
  if (/[%\u2030]/.test(field)) return 'this one is a percentage: write what it stands for, such as 0.12 for 12 %'
  if (/^\s|\s$/.test(field)) return 'this one has a space before or after it'
  if (!/\d/.test(field) || /[^\d\s.,'\u2019+-]/.test(field)) return undefined
  const advice = (options: string) =>
    `this one has other signs in it: if that is how the file writes numbers, add ${options}`
  if (/\d[\s'\u2019]\d/.test(field)) {
    const between = /['\u2019]/.test(field) ? `"'"` : "' '"
    const comma = /,\d*$/.test(field)
    return group === undefined || !isSpace(group)
      ? advice(`${comma ? '--decimal , ' : ''}--group ${between}`)
      : undefined
  }
  if (decimal === '.' && /,\d*\.|,\d{3},/.test(field)) return group === ',' ? undefined : advice('--group ,')
  if (decimal === '.' && /^-?[1-9]\d{0,2},\d{3}$/.test(field))
    return advice('--group , where 1,234 is more than a thousand, or --decimal , where it is little more than one')
  if (decimal === '.' && field.includes(',')) return advice('--decimal , (1,5 is one and a half)')
  if (decimal === '.' && /\..*\./.test(field)) return advice('--decimal , (1.234.567 is more than a million)')
  if (decimal === ',' && field.includes('.'))
    return 'this one has a point that does not stand between thousands, and --decimal is a comma'
  return undefined
}

const point = '.'.charCodeAt(0)
const eitherForm = /^-?[1-9]\d{0,2}\.\d{3}$/

/** Numbers that can mean two things, and what shows which of them: the first line of each. */
export class NumberWatch {
  /** The line that is being read. */
  line = 0
  /** A point before three digits: thousands or thousandths. */
  either: { readonly line: number; readonly column: string } | undefined
  /** What only a file with a decimal comma has. */
  comma: { readonly line: number; readonly column: string } | undefined
  /** What only a file with a decimal point has. */
  hasPoint = false
  /** Whether fields end as programs write CSV where the comma is decimal. */
  isSemicolon = false

  seeNumber(field: string, column: string): void {
    // Of most numbers their length or a look at one place tells.
    if (field.length <= 8 && field.charCodeAt(field.length - 4) === point && eitherForm.test(field)) {
      this.either ??= { line: this.line, column }
    } else if (!this.hasPoint) {
      this.hasPoint = field.includes('.')
    }
  }

  seeOther(field: string, column: string, type: string): void {
    if (this.comma || field.length > 40) return
    if (commaForms.some((form) => form.test(field)) || (type === 'integer' && eitherForm.test(field)))
      this.comma = { line: this.line, column }
  }

  /**
   * Throws a `TypeError` where the numbers so far mean either. `isAll`: no others come that could
   * tell.
   */
  check(isAll = false): void {
    const { either, comma, hasPoint, isSemicolon } = this
    if (!either || !(comma || (isAll && isSemicolon && !hasPoint))) return
    const shown = comma
      ? `and line ${comma.line} (${comma.column}) shows that the file writes numbers with a decimal comma`
      : 'and no other number shows which, while fields end with semicolons, as where the comma is decimal'
    throw new TypeError(
      `The numbers of ${either.column} could mean either: line ${either.line} has a point before three digits, ${shown}. Write --decimal , where 1.234 is more than a thousand, or --decimal . where it is little more than one.`,
    )
  }
}

const commaForms = [
  // 89,90 and 0,125, also beside a currency or a percent sign
  /^[^\d,]{0,4}\d+,(\d{1,2}|\d{4,})[^\d,]{0,4}$/,
  /^[^\d,]{0,4}0,\d+[^\d,]{0,4}$/,
  // 12.345,67
  /^[^\d,]{0,4}\d{1,3}([.\s'\u2019]\d{3})+,\d+[^\d,]{0,4}$/,
  // 1.234.567
  /^[^\d,]{0,4}\d{1,3}(\.\d{3}){2,}[^\d,]{0,4}$/,
]
