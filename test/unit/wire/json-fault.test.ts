import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/model/errors.ts'
import { parseJson } from '../../../src/wire/json-fault.ts'
import { placeOfFault } from '../../../src/wire/json-place.ts'

describe('a body that is not JSON', () => {
  const detailOf = (text: string): string => {
    try {
      parseJson(text)
    } catch (error) {
      if (error instanceof Problem) return error.message
    }
    return 'no fault'
  }

  it.each([
    ['', 'it is empty'],
    ['{"changes":[}', 'the error is at character 12'],
    ['{"a":1,}', 'the error is at character 7'],
    ["{'a':1}", 'the error is at character 1'],
    ['{"a":1} x', 'the error is at character 8'],
    ['{"a":01}', 'the error is at character 6'],
    ['{"a":tru}', 'the error is at character 8'],
    ['{"a":nan}', 'the error is at character 6'],
    ['{"a":1.}', 'the error is at character 7'],
    ['{"a":-}', 'the error is at character 6'],
    ['{"a":"\n"}', 'the error is at character 6'],
    ['{"a":"\\x"}', 'the error is at character 7'],
    ['{"a":"\\u12g4"}', 'the error is at character 10'],
    ['[1 2]', 'the error is at character 3'],
    ['\u00a0{}', 'the error is at character 0'],
    ['{"a":[1,2', 'it ends too early, after 9 characters'],
    ['{"a"', 'it ends too early, after 4 characters'],
    ['"abc', 'it ends too early, after 4 characters'],
    [`[${'1,'.repeat(50_000)}x]`, 'the error is at character 100001'],
    [`[${'1,'.repeat(500_000)}x]`, 'the error is at character 1000001'],
    ['[1,]', 'the error is at character 3'],
    ['[,1]', 'the error is at character 1'],
    ['{"a":1,', 'it ends too early, after 7 characters'],
    ['{"a":1e', 'it ends too early, after 7 characters'],
    ['  ', 'it ends too early, after 2 characters'],
  ])('%s: the answer says where, and repeats nothing of it', (text, where) => {
    expect(detailOf(text)).toBe(`The body must be JSON: ${where}.`)
  })

  it('is searched by a grammar that finds the place where this engine finds it', () => {
    // A text that could still become JSON fails at its very end.
    const canGoOn = (json: string): boolean => {
      try {
        JSON.parse(json)
        return true
      } catch (error) {
        const place = /at position (\d+)/.exec(String(error))?.[1]
        return place === undefined ? /Unexpected end/.test(String(error)) : Number(place) === json.length
      }
    }
    const longest = (json: string) => {
      let length = 0
      while (length < json.length && canGoOn(json.slice(0, length + 1))) length++
      return length
    }
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '\\u00',
      '0',
      '-1',
      '.5',
      'e+',
      'true',
      'nul',
      ' ',
      'é',
      '\n',
    ]
    const broken = fc.tuple(fc.json(), fc.nat(), fc.constantFrom(...pieces, ''), fc.nat(3))
    const texts = fc.oneof(
      fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((some) => some.join('')),
      broken.map(([json, place, piece, gone]) => {
        const at = place % (json.length + 1)
        return json.slice(0, at) + piece + json.slice(at + gone)
      }),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(placeOfFault(text), JSON.stringify(text)).toBe(longest(text))
      }),
      { numRuns: 2_000 },
    )
  })

  it('and one that is, with a byte order mark, is taken', () => {
    expect(parseJson('\ufeff{"a":1}')).toEqual({ a: 1 })
  })
})
