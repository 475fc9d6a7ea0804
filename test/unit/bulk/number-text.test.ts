import { describe, expect, it } from 'vitest'
import {
  type NumberForm,
  NumberWatch,
  numberMender,
  plainNumbers,
  sayNumber,
} from '../../../src/bulk/csv/number-text.ts'

const told = (decimal: '.' | ',', group?: string): NumberForm => ({ decimal, group, isTold: true })

describe('a number of a spreadsheet', () => {
  it.each([
    [told(',', '.'), '1.234', '1234'],
    [told(',', '.'), '89,90', '89.90'],
    [told(',', '.'), '12.345,67', '12345.67'],
    [told(',', '.'), '3', '3'],
    [told(',', '.'), '1.234.567', '1234567'],
    [told(',', '.'), '-,5', '-.5'],
    [told(',', '.'), '1,5e3', '1.5e3'],
    [told(',', '.'), '1.5', undefined],
    [told(',', '.'), '12.34,5', undefined],
    [told(',', '.'), '1234.567', undefined],
    [told(',', '.'), '1,234.5', undefined],
    [told('.', ','), '1,234.56', '1234.56'],
    [told('.', ','), '12,34,567.8', '1234567.8'],
    [told('.', ','), '1,5', undefined],
    [told('.', "'"), "1'234.50", '1234.50'],
    [told('.', "'"), '1\u2019234\u2019567', '1234567'],
    [told(',', ' '), '1\u202f234,5', '1234.5'],
    [told(',', '\u00a0'), '1 234 567', '1234567'],
    [told(',', ' '), '1.234', undefined],
    [told('.'), '1.234', '1.234'],
    [plainNumbers, '1.234', '1.234'],
  ])('%j: %j is %j', (form, field, expected) => {
    expect(numberMender(form)(field)).toBe(expected)
  })

  it.each([
    ['$5.00', /currency/],
    ['5 €', /currency/],
    ['EUR 5', /currency/],
    ['12 %', /percentage/],
    [' 5', /space before or after/],
    ['89,90', /--decimal ,/],
    ['12.345,67', /--decimal ,/],
    ['1.234.567', /--decimal ,/],
    ['1,234', /--group , where .* or --decimal , where/],
    ['1,234.56', /--group ,$/],
    ["1'234", /--group "'"$/],
    ['1 234,50', /--decimal , --group ' '$/],
    ['many', undefined],
    ['', undefined],
  ])('that is none here, %j, is refused with words', (field, words) => {
    const said = sayNumber(field, plainNumbers)
    if (words) expect(said).toMatch(words)
    else expect(said).toBeUndefined()
  })
})

describe('numbers that could mean either', () => {
  const watched = (fields: readonly string[], isSemicolon = false) => {
    const watch = new NumberWatch()
    watch.isSemicolon = isSemicolon
    const isPlain = (field: string) => /^-?(\d+\.?\d*|\.\d+)$/.test(field)
    for (const [at, field] of fields.entries()) {
      watch.line = at + 2
      if (isPlain(field)) watch.seeNumber(field, 'todos.amount')
      else watch.seeOther(field, 'todos.amount', 'real')
    }
    return () => watch.check(true)
  }
  it.each([
    [['1.234', '89,90']],
    [['89,90', '1.234']],
    [['1.234', '12.345,67']],
    [['1.234', '1.234.567']],
    [['1.234', '0,125']],
    [['-1.234', '5,5 €']],
    [['1.234', '12,5 %']],
    [['1.234', '1.5', '89,90']],
  ])('%j end it', (fields) => {
    expect(watched(fields)).toThrow(
      /^The numbers of todos\.amount could mean either: line \d .* Write --decimal , where /,
    )
  })
  it.each([
    [['1.234', '2.5']],
    [['1.234', '3']],
    [['0.234', '89,90']],
    [['1234.567', '89,90']],
    [['1.234', '1,234']],
    [['1.234', 'about 5, or 6']],
    [['89,90', '3']],
    [[]],
  ])('%j do not', (fields) => {
    expect(watched(fields)).not.toThrow()
  })
  it('end it where fields end with semicolons and no number tells', () => {
    expect(watched(['1.234', '3'], true)).toThrow(/could mean either/)
    expect(watched(['1.234', '3.5'], true)).not.toThrow()
    expect(watched(['3'], true)).not.toThrow()
  })
})
