/**
 * A number that no double holds, as it was written: it would come back as another one. It stands
 * where the number stood, so that every check of a value refuses it in its own words, and nothing
 * else of the text is touched.
 */
export class InexactNumber {
  readonly #digits: string

  constructor(digits: string) {
    this.#digits = digits
  }

  /** The digits as they came: `String(value)` in a mapping gives all of them. */
  toString(): string {
    return this.#digits
  }

  /** What is measured of it. */
  toJSON(): string {
    return this.#digits
  }
}

export const isInexact = (value: unknown): value is InexactNumber => value instanceof InexactNumber

/**
 * `JSON.parse`, and an `InexactNumber` for each number that it would round. To look through 4 MiB
 * of ordinary changes takes
 * 4 ms, parsing them 15; a text with such a number is parsed twice. (A reviver is told the digits
 * as well. It takes 190 ms,
 * and overflows the stack in a text that is nested too deep.)
 */
export function parseExact(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (!hasLongNumber(text) && !exponentPattern.test(text)) return value
  // The mark is drawn anew for each text, so that no text of anybody's can be taken for one.
  const mark = crypto.randomUUID()
  const marked = markInexact(text, mark)
  return marked === undefined ? value : unmark(JSON.parse(marked), mark)
}

/** Whether the double that a literal becomes prints the same decimal number again. */
export function isExact(literal: string): boolean {
  const number = Number(literal)
  if (String(number) === literal) return Number.isFinite(number)
  if (!Number.isFinite(number)) return false
  const [sent, kept] = [toScientific(literal), toScientific(String(number))]
  return sent.digits === kept.digits && sent.exponent === kept.exponent
}

/**
 * A literal as digits that begin and end with no nought, and the power of ten that their point
 * stands at.
 */
function toScientific(literal: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = '', power = '0'] = literal.replace(/^[-+]/, '').toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const all = whole + fraction
  let [from, to] = [0, all.length]
  while (from < to && all[from] === '0') from++
  while (to > from && all[to - 1] === '0') to--
  return { digits: all.slice(from, to), exponent: from === to ? 0 : Number(power) + whole.length - from }
}

const stride = 16
const isDigit = (code: number) => (code >= 48 && code <= 57) || code === 46

/**
 * Whether the text has a run of digits that could be rounded: more than 15 digits. Every such run
 * covers one of each 16 characters, so only those are looked at. Stamps have 16 digits and are
 * below 2^53 until they begin with a nine.
 */
function hasLongNumber(text: string): boolean {
  for (let place = stride - 1; place < text.length; place += stride) {
    if (!isDigit(text.charCodeAt(place))) continue
    let [from, to] = [place, place + 1]
    while (from > 0 && isDigit(text.charCodeAt(from - 1))) from--
    while (to < text.length && isDigit(text.charCodeAt(to))) to++
    if (to - from > stride || (to - from === stride && text[from] === '9')) return true
    // Go on behind the run: a long one is looked at once.
    while (place + stride < to) place += stride
  }
  return false
}

/** A number with an exponent, and hardly a UUID. */
const exponentPattern = /\d[eE][+-]?\d+(?:[,}\]\s]|$)/

/** Literals that could be rounded, and what looks like one inside of a text. */
const candidates = /(?<![^[:,\s])-?(?:[\d.]{17,}|9\d{15}|[\d.]+(?=[eE]))(?:[eE][+-]?\d+)?/g

/**
 * The text with a string in the place of each number that would be rounded. Nothing where there is
 * none.
 */
function markInexact(text: string, mark: string): string | undefined {
  let marked = ''
  let done = 0
  // The string that begins next, or the last one that was passed. Each is looked for once.
  let begin = nextQuote(text, 0)
  let end = 0
  for (const { 0: literal, index } of text.matchAll(candidates)) {
    if (isExact(literal)) continue
    while (begin < index) {
      end = endOfString(text, begin)
      begin = nextQuote(text, end)
    }
    // Within a string.
    if (index < end) continue
    marked += `${text.slice(done, index)}"${mark}${literal}"`
    done = index + literal.length
  }
  return done === 0 ? undefined : marked + text.slice(done)
}

function nextQuote(text: string, from: number): number {
  const quote = text.indexOf('"', from)
  return quote === -1 ? text.length : quote
}

/** The place behind the string that begins at a quote. */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text[end - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return end + 1
  }
  return text.length
}

/**
 * Without recursion, however deep the value is nested: it is for the checks to say that it is too
 * deep.
 */
function unmark(value: unknown, mark: string): unknown {
  const read = (one: unknown) =>
    typeof one === 'string' && one.startsWith(mark) ? new InexactNumber(one.slice(mark.length)) : one
  const top = read(value)
  const open: unknown[] = [top]
  while (open.length > 0) {
    const holder = open.pop()
    if (typeof holder !== 'object' || holder === null || isInexact(holder)) continue
    // An own `__proto__` of parsed JSON is a plain member.
    const members = holder as Record<string, unknown>
    for (const [name, member] of Object.entries(members)) {
      if (typeof member === 'string') {
        if (member.startsWith(mark)) members[name] = read(member)
      } else if (typeof member === 'object' && member !== null) open.push(member)
    }
  }
  return top
}
