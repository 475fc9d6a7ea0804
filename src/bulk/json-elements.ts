import { type Rejection, rejection } from '../model/errors.ts'
import { limits } from '../model/limits.ts'

/**
 * Where rows stand in a JSON text: the keys on the way, `'*'` for any key and any item of an array.
 */
export type ElementPath = readonly string[]

export interface JsonElement {
  /** The key that it stands under, where it stands in an object. */
  readonly key: string | undefined
  readonly value: string
  /**
   * With the objects around it that say its key, so that it can be read again from a line of its
   * own.
   */
  readonly text: string
  readonly error?: Rejection
}

/**
 * An element and what is around it may be longer than a change: that is measured when it is one.
 */
const elementLengthMax = 4 * limits.changeBytesMax

/**
 * Finds the elements of a JSON text of any length, such as the items of an array, and gives the
 * text of each: no more than a block and an element is held. What is between them is passed over.
 * Throws a `TypeError` where the text is cut.
 */
export async function* readElements(
  blocks: AsyncIterable<Uint8Array>,
  paths: readonly ElementPath[],
): AsyncGenerator<JsonElement> {
  const decoder = new TextDecoder()
  const scan = createScan(paths)
  for await (const block of blocks) yield* scan(decoder.decode(block, { stream: true }), false)
  yield* scan(decoder.decode(), true)
}

function createScan(paths: readonly ElementPath[]) {
  let text = ''
  let at = 0
  /** Where the element begins that is being read, and how many containers it stands in. */
  let begin = -1
  let depth = 0
  let isTooLong = false
  /**
   * The containers around the place: an object by the key that was read last, an array as nothing.
   */
  const around: (string | undefined)[] = []
  let isKey = false
  /** A text that is no key goes on in the next block. */
  let isInText = false

  const isElement = () =>
    begin === -1 &&
    paths.some((path) => path.length === around.length && path.every((one, n) => one === '*' || one === around[n]))
  const isInObject = () => around.length > 0 && around.at(-1) !== undefined

  const wrap = (value: string) =>
    around.reduceRight<string>((inner, key) => (key === undefined ? inner : `{${JSON.stringify(key)}:${inner}}`), value)

  function* end(): Generator<JsonElement> {
    if (begin === -1 || around.length !== depth) return
    const key = around.at(-1)
    const value = isTooLong ? '' : text.slice(begin, at)
    const whole = key === undefined || isTooLong ? value : wrap(value)
    yield { key, value, text: whole, ...(isTooLong && { error: tooLong }) }
    begin = -1
    isTooLong = false
  }

  return function* scan(block: string, isLast: boolean): Generator<JsonElement> {
    // What was read is dropped, but for the element under way.
    if (begin !== -1 && (isTooLong || at - begin > elementLengthMax)) {
      isTooLong = true
      begin = at
    }
    const kept = begin === -1 ? at : begin
    text = text.slice(kept) + block
    at -= kept
    if (begin !== -1) begin = 0
    while (at < text.length) {
      if (isInText) {
        const close = findQuote(text, at)
        isInText = close === -1
        at = isInText ? text.length - slashesBefore(text, text.length) : close + 1
        if (isInText) break
        yield* end()
        continue
      }
      const char = text[at] as string
      if (char === '{' || char === '[') {
        if (isElement()) [begin, depth] = [at, around.length]
        around.push(char === '{' ? '' : undefined)
        isKey = char === '{'
        at++
      } else if (char === '}' || char === ']') {
        around.pop()
        at++
        yield* end()
      } else if (char === '"') {
        if (isKey) {
          const close = findQuote(text, at + 1)
          if (close === -1) break
          // Keys inside of an element are nobody's business.
          if (begin === -1) around[around.length - 1] = readKey(text.slice(at, close + 1))
          isKey = false
          at = close + 1
        } else {
          if (isElement()) [begin, depth] = [at, around.length]
          isInText = true
          at++
        }
      } else if (/[\s,:]/.test(char)) {
        if (char === ',') isKey = isInObject()
        at++
      } else {
        const length = /[^\s,:{}[\]"]+/y
        length.lastIndex = at
        const word = length.exec(text)?.[0] ?? char
        if (at + word.length === text.length && !isLast) break
        if (isElement()) [begin, depth] = [at, around.length]
        at += word.length
        yield* end()
      }
    }
    if (isLast && (around.length > 0 || at < text.length || isInText))
      throw new TypeError('The JSON ends too early: the file is cut. Get all of it.')
  }
}

/** The quote that ends a text. */
function findQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    if (slashesBefore(text, at) % 2 === 0) return at
  }
  return -1
}

function slashesBefore(text: string, at: number): number {
  let count = 0
  while (text[at - 1 - count] === '\\') count++
  return count
}

function readKey(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}

const tooLong = rejection('too_large', `An element may have ${elementLengthMax} characters at most.`)
