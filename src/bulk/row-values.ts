/** An integer is as good an id as its digits, which most databases count up. */
export function idToText(value: unknown): unknown {
  return Number.isSafeInteger(value) ? String(value) : value
}

/** SQLite and MySQL have 1 and 0 for true and false. */
export function toBoolean(value: unknown): unknown {
  return value === 1 ? true : value === 0 ? false : value
}
