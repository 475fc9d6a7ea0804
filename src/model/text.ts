/** True for text that both databases keep as it is: no NUL, no lone surrogate. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** True for text without control characters (C0, DEL, C1), which ids and scopes may not hold. */
export function isPrintable(text: string): boolean {
  return !/[\u0000-\u001f\u007f-\u009f]/.test(text)
}

/**
 * The length in code points; stops counting once it is beyond `max`, so that a long text costs no
 * more than a short one.
 */
export function lengthUpTo(text: string, max: number): number {
  if (text.length <= max && !/[\ud800-\udbff]/.test(text)) return text.length
  let count = 0
  for (const _ of text) if (++count > max) break
  return count
}

/** True for 1 to `max` printable code points: the rule of ids and scopes. */
export function isName(value: unknown, max: number): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    isStorable(value) &&
    isPrintable(value) &&
    lengthUpTo(value, max) <= max
  )
}

/**
 * Well-formed text as JSON. Most texts hold nothing to escape, and looking is cheaper than writing
 * anew.
 */
export function textToJson(text: string): string {
  return escaped.test(text) ? JSON.stringify(text) : `"${text}"`
}

const escaped = /["\\\u0000-\u001f]/

export function utf8Length(text: string): number {
  return encoder.encode(text).length
}

const encoder = new TextEncoder()
