import { StoreFault } from '../store.ts'

/** How Node and OpenSSL name a certificate that nobody known has signed. */
const untrusted =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|CERT_UNTRUSTED)$/

/**
 * Why no connection to Postgres came about, where the driver's words leave open what to do about
 * it.
 */
export function connectFault(error: unknown): unknown {
  const { code, message = '', errors } = (error ?? {}) as { code?: string; message?: string; errors?: unknown[] }
  const advice = adviceOn(code ?? '', message)
  if (advice !== undefined) return new StoreFault('transient', { message: advice, code, cause: error })
  // A host of several addresses: each has failed, and the error that holds them says nothing.
  if (message === '' && Array.isArray(errors)) return errors[0]
  return error
}

function adviceOn(code: string, message: string): string | undefined {
  if (untrusted.test(code)) {
    return 'the certificate of the database is signed by nobody whom this machine trusts: write sslrootcert=ca.pem in DATABASE_URL, the file of who signed it, or, encrypted without knowing who answers, sslmode=no-verify or uselibpqcompat=true&sslmode=require'
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'the certificate of the database is for another host: name that host in DATABASE_URL, or write uselibpqcompat=true&sslmode=verify-ca&sslrootcert=ca.pem, or sslmode=no-verify'
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'the certificate of the database is out of date: renew it, or write sslmode=no-verify in DATABASE_URL'
  }
  if (message === 'The server does not support SSL connections') {
    return 'the database speaks no TLS, which DATABASE_URL asks for: turn it on there, or write sslmode=disable'
  }
  if (code === '28000' && /no encryption|SSL off/.test(message)) {
    return 'the database takes encrypted connections only: write sslmode=require in DATABASE_URL'
  }
  if (/client password must be a (non-empty )?string/.test(message)) {
    return 'the database wants a password: write postgres://user:password@host:5432/database in DATABASE_URL'
  }
  return undefined
}
