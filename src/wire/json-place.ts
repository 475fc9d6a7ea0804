const space = /[ \t\n\r]*/y
const plainText = /[^"\\\u0000-\u001f]*/y
/** As much of a number as could still become one, and a whole one. */
const numberBegun = /-?(?:(?:0|[1-9]\d*)(?:\.(?:\d+(?:[eE](?:[+-]?\d*)?)?)?|[eE](?:[+-]?\d*)?)?)?/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const words = ['true', 'false', 'null']

/** What may come next: a value, or the end of what is open, and the like. */
type Expected = 'value' | 'first item' | 'first key' | 'key' | 'colon' | 'rest'

/**
 * Where a text ceases to be JSON: the first character behind which nothing could make it JSON; its
 * length where it only ends too early. By a grammar of its own, for engines say it in many ways, or
 * not at all. Reads the text once.
 */
export function placeOfFault(json: string): number {
  /** For each container that is open, whether it is an object. */
  const open: boolean[] = []
  let expected: Expected = 'value'
  let at = 0
  for (;;) {
    at = end(space, json, at)
    const letter = json[at]
    if (letter === undefined) return at
    const closes = open.length > 0 && letter === (open.at(-1) ? '}' : ']')
    if (closes && (expected === 'rest' || expected === 'first item' || expected === 'first key')) {
      open.pop()
      expected = 'rest'
      at++
    } else if (expected === 'rest') {
      if (letter !== ',' || open.length === 0) return at
      expected = open.at(-1) ? 'key' : 'value'
      at++
    } else if (expected === 'colon') {
      if (letter !== ':') return at
      expected = 'value'
      at++
    } else if (expected === 'key' || expected === 'first key') {
      if (letter !== '"') return at
      const [next, isWhole] = readText(json, at)
      if (!isWhole) return next
      expected = 'colon'
      at = next
    } else if (letter === '{' || letter === '[') {
      open.push(letter === '{')
      expected = letter === '{' ? 'first key' : 'first item'
      at++
    } else {
      const [next, isWhole] = readScalar(json, at)
      if (!isWhole) return next
      expected = 'rest'
      at = next
    }
  }
}

/** Where a value ends, or fails, and whether it is whole there. */
type Read = readonly [at: number, isWhole: boolean]

function readScalar(json: string, at: number): Read {
  if (json[at] === '"') return readText(json, at)
  const word = words.find((one) => one[0] === json[at])
  if (word === undefined) {
    const begun = end(numberBegun, json, at)
    return [begun, begun > at && end(number, json, at) === begun]
  }
  let length = 0
  while (length < word.length && json[at + length] === word[length]) length++
  return [at + length, length === word.length]
}

function readText(json: string, from: number): Read {
  for (let at = from + 1; ; ) {
    at = end(plainText, json, at)
    if (json[at] === '"') return [at + 1, true]
    if (json[at] !== '\\') return [at, false]
    const [next, isWhole] = readEscape(json, at)
    if (!isWhole) return [next, false]
    at = next
  }
}

function readEscape(json: string, at: number): Read {
  const letter = json[at + 1]
  if (letter !== 'u') return letter !== undefined && '"\\/bfnrt'.includes(letter) ? [at + 2, true] : [at + 1, false]
  let digits = 0
  while (digits < 4 && /[\da-fA-F]/.test(json[at + 2 + digits] ?? '')) digits++
  return [at + 2 + digits, digits === 4]
}

/** Where what a sticky pattern finds at a place ends. */
function end(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}
