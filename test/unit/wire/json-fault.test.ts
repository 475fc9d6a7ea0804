import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/model/errors.ts'
import { parseJson } from '../../../src/wire/json-fault.ts'

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
    [`[${'1,'.repeat(500_000)}x]`, 'it holds a stray character'],
  ])('%s: the answer says where, and repeats nothing of it', (text, where) => {
    expect(detailOf(text)).toBe(`The body must be JSON: ${where}.`)
  })

  it('and one that is, with a byte order mark, is taken', () => {
    expect(parseJson('\ufeff{"a":1}')).toEqual({ a: 1 })
  })
})
