// In a worker instead of pg-connection-string, 1.2 KB: the runtime reads URLs, and there are no files of certificates.
exports.parse = (text) => {
  const { username, password, hostname, port, pathname, searchParams } = new URL(text)
  const { sslmode, ...options } = Object.fromEntries(searchParams)
  const ssl = { disable: false, 'no-verify': { rejectUnauthorized: false } }[sslmode] ?? (sslmode ? {} : undefined)
  return {
    ...options,
    ...(ssl !== undefined && { ssl }),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    host: hostname.replace(/^\[|\]$/g, ''),
    port,
    database: decodeURIComponent(pathname.slice(1)),
  }
}
