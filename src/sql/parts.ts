const encoder = new TextEncoder()
export const bytesOf = (text: string) => encoder.encode(text).length

/**
 * Rows as the parameters of as many statements as needed, none above so many bytes but where a
 * single row is.
 */
export function encodeParts<Row>(
  rows: readonly Row[],
  encode: (rows: readonly Row[]) => readonly string[],
  bytesMax = Number.POSITIVE_INFINITY,
): (readonly string[])[] {
  const texts = encode(rows)
  const fits = (text: string) => text.length * 3 <= bytesMax || bytesOf(text) <= bytesMax
  // Three bytes at the most for each unit of text: ordinary change sets are not measured.
  if (rows.length === 1 || texts.every(fits)) return [texts]
  const half = rows.length >> 1
  return [...encodeParts(rows.slice(0, half), encode, bytesMax), ...encodeParts(rows.slice(half), encode, bytesMax)]
}
