import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InexactNumber, isExact, parseExact } from '../../../src/model/exact.ts'

/** The parsed value with the digits of each number that would be rounded, between bars. */
const shown = (text: string) => show(parseExact(text))
function show(value: unknown): unknown {
  if (value instanceof InexactNumber) return `|${value}|`
  if (Array.isArray(value)) return value.map(show)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, show(member)]))
}

const exact = [
  ...['0', '-0', '0.1', '0.30000000000000004', '1.0', '1.10', '1e3', '100e-2', '1E+2', '1e-7', '0e999999999', '0.0e-5'],
  ...['9007199254740992', '9007199254740994', '-9007199254740992', '1e21', '1e23', '123456789012345680000', '5e-324'],
  ...['1.7976931348623157e308', '0.000001', '1234567890.12', '0.5000000000000000000000', '100000000000000000000000'],
]
const inexact = [
  ...['9007199254740993', '-9007199254740993', '12345678901234567.89', '0.1234567890123456789', '1e400', '-1e400'],
  ...['1e-400', '18014398509481985', '1180591620717411303424', '0.1000000000000000055511151231257827', '1e-324'],
  ...[
    '4.9406564584124654e-324',
    '9999999999999999',
    '0.30000000000000000001',
    '1.00000000000000000000001',
    '123456789e400',
  ],
]

describe('a number', () => {
  it.each(exact)('%s comes back as it was written', (literal) => {
    expect(isExact(literal)).toBe(true)
    for (const text of [literal, `[${literal}]`, `{"a":${literal}}`, `{"a":[1, ${literal} ,2]}`])
      expect(JSON.stringify(parseExact(text))).toBe(JSON.stringify(JSON.parse(text)))
  })

  it.each(inexact)('%s would be rounded, and is told by its digits wherever it stands', (literal) => {
    const mark = `|${literal}|`
    expect(isExact(literal)).toBe(false)
    expect(shown(literal)).toBe(mark)
    expect(shown(`[${literal}]`)).toEqual([mark])
    expect(shown(`\n [ 1,\t${literal}\r\n,{"a" :${literal}, "b":{"c":[[${literal}]]}}]`)).toEqual([
      1,
      mark,
      { a: mark, b: { c: [[mark]] } },
    ])
    expect(shown(`{"__proto__":${literal},"a":1,"a":${literal}}`)).toEqual(
      JSON.parse(`{"__proto__":"${mark}","a":"${mark}"}`),
    )
  })

  it.each(inexact)('%s within a text or a name is that text', (literal) => {
    const texts = [literal, `,${literal},`, `":${literal}`, `\\",${literal}`, `[ ${literal} ]\\`, `\\\\": ${literal}`]
    for (const one of texts) {
      const value = { [one]: [one, { [one]: one }], n: 1 }
      expect(parseExact(JSON.stringify(value))).toEqual(value)
      expect(shown(JSON.stringify(value).replace('"n":1', `"n":${literal}`))).toEqual({ ...value, n: `|${literal}|` })
    }
  })
})

describe('parseExact', () => {
  /** Digits and the power of ten, by integers of any size. */
  const isSame = (literal: string, number: number) => {
    const value = (text: string): [bigint, number] => {
      const [, sign, whole = '', fraction = '', power = '0'] =
        /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? []
      return [BigInt(`${sign}${whole}${fraction}`), Number(power) - fraction.length]
    }
    const [[a, x], [b, y]] = [value(literal), value(String(number))]
    return x >= y ? a * 10n ** BigInt(x - y) === b : a === b * 10n ** BigInt(y - x)
  }
  const digit = fc.constantFrom(...'0000123456789')
  const digits = (max: number) =>
    fc.array(digit, { minLength: 1, maxLength: max, size: 'max' }).map((all) => all.join(''))
  const literal = fc
    .tuple(fc.boolean(), digits(22), fc.option(digits(22)), fc.option(fc.integer({ min: -40, max: 40 })))
    .map(([minus, whole, fraction, power]) => {
      const trimmed = whole.replace(/^0+(?=\d)/, '')
      return `${minus ? '-' : ''}${trimmed}${fraction === null ? '' : `.${fraction}`}${power === null ? '' : `e${power}`}`
    })

  it('finds exactly the numbers that change, whatever their form', () => {
    fc.assert(
      fc.property(fc.array(literal, { maxLength: 8 }), (literals) => {
        const parsed = parseExact(`[${literals.join(',')}]`) as unknown[]
        expect(parsed.map((one) => one instanceof InexactNumber)).toEqual(
          literals.map((one) => !isSame(one, Number(one))),
        )
      }),
      { numRuns: 1_000 },
    )
  })

  it('gives any other JSON as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 0, max: 4 }), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        expect(parseExact(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  it('takes no more for JSON than JSON.parse does', () => {
    for (const text of [
      '',
      '{',
      '{1e400:1}',
      '[01]',
      '[1e400',
      '1e400 1',
      '[9007199254740993,]',
      '.5',
      '1.',
      '+1e400',
      '"1e400',
    ])
      expect(() => parseExact(text), text).toThrow(SyntaxError)
  })

  it('overflows no stack, however deep the number stands', () => {
    let value = parseExact(`${'['.repeat(50_000)}1e400${']'.repeat(50_000)}`)
    while (Array.isArray(value)) value = value[0]
    expect(String(value)).toBe('1e400')
  })
})
