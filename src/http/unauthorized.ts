import { Problem } from '../model/errors.ts'

/** @param sent whether there was a token at all */
export function unauthorized(detail: string, sent: boolean): Problem {
  const challenge = sent ? 'Bearer realm="driftline", error="invalid_token"' : 'Bearer realm="driftline"'
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } })
}
