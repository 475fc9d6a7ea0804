// In a worker instead of @libsql/core's config and uri, 1.4 KB: the runtime reads URLs.
exports.expandConfig = ({ url, authToken, intMode = 'number', concurrency, fetch }) => {
  const { protocol, host, pathname, searchParams } = new URL(url)
  for (const name of searchParams.keys()) {
    if (name !== 'tls' && name !== 'authToken') throw new TypeError(`The URL of libSQL has no parameter ${name}`)
  }
  const tls = protocol === 'libsql:' ? searchParams.get('tls') !== '0' : protocol === 'https:'
  return {
    scheme: tls ? 'https' : 'http',
    tls,
    authority: host,
    path: pathname,
    authToken: searchParams.get('authToken') ?? authToken,
    intMode,
    concurrency,
    fetch,
  }
}

exports.encodeBaseUrl = (scheme, authority, path) => new URL(`${scheme}://${authority}${path}`)
