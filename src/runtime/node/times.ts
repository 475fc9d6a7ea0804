import type { ServerOptions } from 'node:http'
import type { Config } from '../settings.ts'

/** How often Node looks for connections whose time is over: each may have that much more. */
const lookMsMax = 5_000

/**
 * The times of Node's server. None of them counts a whole request, whose body may come for hours:
 * its own idle time does (src/http/arrive.ts). A connection stays open for longer than load
 * balancers keep theirs: one that the server closes first may be in use by then, which is a 502 now
 * and then.
 */
export function serverTimes({ headersMsMax, keepAliveMs }: Pick<Config, 'headersMsMax' | 'keepAliveMs'>) {
  return {
    requestTimeout: 0,
    headersTimeout: headersMsMax,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(lookMsMax, headersMsMax),
  } satisfies ServerOptions
}
