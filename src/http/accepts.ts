import type { Context } from 'hono'

/** Whether a list of what the client takes names it, and not with `q=0`. */
export function accepts(list = '', name: string): boolean {
  return list.split(',').some((item) => {
    const [one, ...params] = item.split(';').map((part) => part.trim().toLowerCase())
    return one === name && !params.some((param) => /^q=0(\.0*)?$/.test(param))
  })
}

/**
 * Cloudflare's edge asks a worker for gzip whatever the client takes, and would not undo it for
 * this type: it says so apart.
 */
export function encodingsOf(req: Context['req']): string | undefined {
  const { cf } = req.raw as { readonly cf?: { readonly clientAcceptEncoding?: string } }
  return cf?.clientAcceptEncoding ?? req.header('accept-encoding')
}
