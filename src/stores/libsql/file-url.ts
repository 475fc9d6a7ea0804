/**
 * Throws a `TypeError` with a sentence where a `file:` URL names no file, or says more than a
 * file's name.
 */
export function checkFileUrl(url: string): void {
  const path = url.slice('file:'.length)
  if (/[?#]/.test(path)) {
    throw new TypeError(
      'DATABASE_URL takes no parameters behind file:, such as ?mode=ro, and no ? or # in a name: write file:data/app.db',
    )
  }
  if (path.replaceAll(/[/\\.]/g, '') === '' || /[/\\]$/.test(path))
    throw new TypeError('DATABASE_URL must name a file behind file:, for example file:data/app.db')
  if (/^\/\/[^/]/.test(path) && !path.startsWith('//localhost/'))
    throw new TypeError('DATABASE_URL names a host behind file://: write file:data/app.db, or file:///data/app.db')
  if (path.startsWith('//') && /%(?![\da-f]{2})|%2f/i.test(path))
    throw new TypeError('DATABASE_URL has a % in its file:// that encodes nothing: write %25 for the sign itself')
}

/** Rows that one read of a file should go over at the most: some ten milliseconds. */
export const fileRowsAtOnceMax = 10_000
