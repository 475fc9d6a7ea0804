/**
 * Throws a `TypeError` with a sentence where a URL of libSQL over HTTP cannot be one. The driver
 * and `URL` would repeat parts of it in what they throw, and it may hold a token.
 */
export function checkLibsqlUrl(url: string): void {
  const [, scheme, authority = '', , query = ''] =
    /^(libsql|https?):\/\/([^/?#\s]*)([^?#\s]*)(?:\?([^#\s]*))?$/.exec(url) ?? []
  const isHost = /^(\{scope\}|[\p{L}\p{N}._~-])+(:\d{1,5})?$|^\[[\da-f:.]+\](:\d{1,5})?$/iu.test(authority)
  const readable = URL.canParse(url.replaceAll('{scope}', 'a'))
  if (authority.includes('@')) {
    throw new TypeError('DATABASE_URL takes no user and password for libSQL: set DATABASE_AUTH_TOKEN, the token')
  }
  if (scheme === undefined || !isHost || !readable) {
    throw new TypeError('DATABASE_URL must be of the form libsql://name.turso.io or https://host:8080, and no more')
  }
  for (const [name, value] of new URLSearchParams(query)) {
    const known = name === 'authToken' || (name === 'tls' && /^[01]$/.test(value))
    if (!known) {
      throw new TypeError('DATABASE_URL takes the parameters tls=0, tls=1 and authToken for libSQL, and no others')
    }
  }
  if (scheme === 'libsql' && /(^|&)tls=0(&|$)/.test(query) && !/:\d+$/.test(authority))
    throw new TypeError('libsql:// with tls=0 in DATABASE_URL must name a port')
}
