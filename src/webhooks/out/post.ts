/** What became of a request: the answer's head. Its body is nobody's business here. */
export interface PostAnswer {
  readonly status: number
  readonly retryAfter: string | null | undefined
}

/**
 * Sends one request and gives its answer. Follows no redirect, reads no body, and gives up in time.
 * Fails with an error whose `name` or `code` says why.
 */
export type Post = (url: string, headers: Readonly<Record<string, string>>, body: string) => Promise<PostAnswer>

/** Why a request had no answer, in a word that holds no part of it. */
export function errorCode(error: unknown): string {
  const { name, code, cause } = error as { name?: unknown; code?: unknown; cause?: { code?: unknown } }
  if (name === 'TimeoutError' || name === 'AbortError') return 'timeout'
  const word = [code, cause?.code].find((one) => typeof one === 'string')
  return typeof word === 'string' && /^\w{1,40}$/.test(word) ? word.toLowerCase() : 'no_answer'
}
