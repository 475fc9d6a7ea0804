import { limits } from './limits.ts'

/**
 * A decimal as it is written on the wire: no exponent, no nought before other digits, no sign of
 * nought.
 */
const canonical = /^(?!-0(?:\.0*)?$)-?(0|[1-9]\d*)(?:\.(\d+))?$/
const written = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,5}))?$/

export interface DecimalRules {
  /** Digits in all, and behind the point, at the most: as `numeric(precision, scale)`. */
  readonly precision?: number | undefined
  readonly scale?: number | undefined
}

/**
 * What is wrong with a decimal, in words that follow "must be". Noughts at the end are kept: 1.10
 * is not 1.1.
 */
export function decimalFault(value: unknown, { precision, scale }: DecimalRules): string | undefined {
  const parts = typeof value === 'string' && value.length <= limits.decimalDigitsMax + 3 && canonical.exec(value)
  if (!parts) {
    if (typeof value === 'string' && canonical.test(value)) return `at most ${limits.decimalDigitsMax} digits long`
    return 'a decimal as text, such as "1234.50": no exponent, and no nought before other digits'
  }
  const [, whole = '', fraction = ''] = parts
  const before = whole === '0' ? 0 : whole.length
  if (before + fraction.length > limits.decimalDigitsMax) return `at most ${limits.decimalDigitsMax} digits long`
  if (scale !== undefined && fraction.length > scale) return `a decimal with at most ${scale} digits behind the point`
  if (precision === undefined) return undefined
  if (scale !== undefined && before > precision - scale)
    return `a decimal with at most ${precision - scale} digits before the point`
  return before + fraction.length > precision ? `a decimal with at most ${precision} digits` : undefined
}

/**
 * A number as a program wrote it, as a decimal of the wire. What is none, or far too long, stays as
 * it is.
 */
export function toDecimal(text: string): string {
  const [, sign, mantissa, power = '0'] = written.exec(text) ?? []
  if (mantissa === undefined || text.length > 2 * limits.decimalDigitsMax) return text
  const [whole = '', fraction = ''] = mantissa.split('.')
  const exponent = Number(power)
  if (Math.abs(exponent) > limits.decimalDigitsMax) return text
  const digits = whole + fraction
  const point = whole.length + exponent
  const before = digits.slice(0, Math.max(point, 0)).padEnd(point, '0').replace(/^0+/, '')
  const after = `${'0'.repeat(Math.max(-point, 0))}${digits.slice(Math.max(point, 0))}`
  const decimal = `${before === '' ? '0' : before}${after === '' ? '' : `.${after}`}`
  return sign === '-' && /[1-9]/.test(decimal) ? `-${decimal}` : decimal
}
