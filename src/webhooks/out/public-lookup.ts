import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Whether an address, as a resolver or `new URL` spells it, is one of the public internet. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text)
  if (!(address instanceof ipaddr.IPv6)) return address.range() === 'unicast'
  // Behind NAT64 every public IPv4 address looks so, and every private one too.
  if (address.match(ipaddr.IPv6.parse('64:ff9b::'), 96)) {
    return isPublicAddress(address.toByteArray().slice(12).join('.'))
  }
  // Only 2000::/3 is given out: what ipaddr.js knows nothing of is unicast to it.
  return address.range() === 'unicast' && (address.parts[0] ?? 0) >> 13 === 1
}

/** `lookup` of `node:dns`, for all addresses of a host. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void

/**
 * A lookup that fails where any address of the host is not public. The connection is made to the
 * addresses that it gives: no second lookup could bring others (DNS rebinding).
 */
export function publicLookup(resolve: Resolve = lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, [])
      const [first] = found
      if (!first || !found.every(({ address }) => isPublicAddress(address))) return callback(privateAddress(), [])
      if (options.all) callback(null, found)
      else callback(null, first.address, first.family)
    })
  }
}

export function privateAddress(): Error {
  return Object.assign(new Error('The host has a private address'), { code: 'private_address' })
}
