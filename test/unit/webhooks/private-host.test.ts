import { expect, it } from 'vitest'
import { isPrivateHost } from '../../../src/webhooks/out/private-host.ts'
import { isPublicAddress } from '../../../src/webhooks/out/public-lookup.ts'
import { seededRandom } from '../../support/random.ts'

/**
 * A worker carries no ipaddr.js, which would weigh 4 KB there; so what it says of an address is
 * held against what ipaddr.js says in Node.
 */
const host = (address: string) => new URL(`http://${address.includes(':') ? `[${address}]` : address}/`).hostname
const differing = (addresses: readonly string[]) =>
  addresses.filter((address) => isPrivateHost(host(address)) === isPublicAddress(address))

it('Node and a worker agree on IPv4: every first two numbers, and the edges of the last two', () => {
  const addresses = Array.from({ length: 65_536 }, (_, n) => `${n >> 8}.${n & 255}`).flatMap((start) =>
    ['0.1', '2.1', '99.1', '100.7', '113.9'].map((end) => `${start}.${end}`),
  )
  expect(differing(addresses)).toEqual([])
})

it('Node and a worker agree on IPv6: every first 16 bits, with the rest at random', () => {
  const random = seededRandom(7)
  const group = () => Math.floor(random() * 65_536).toString(16)
  const addresses = Array.from({ length: 65_536 }, (_, n) =>
    [n.toString(16), ...Array.from({ length: 7 }, group)].join(':'),
  )
  // Node looks into an IPv4 address within an IPv6 one; a worker refuses to send to any.
  const within = ['::ffff:8.8.8.8', '64:ff9b::8.8.8.8']
  expect(within.map((address) => [isPrivateHost(host(address)), isPublicAddress(address)])).toEqual([
    [true, true],
    [true, true],
  ])
  const special = ['::', '::1', '::ffff:10.0.0.1', '64:ff9b::10.0.0.1', '2001::1', '2001:db8::1', '2002:808:808::1', 'fe80::1', 'fc00::1', 'ff02::1', '2606:4700:4700::1111'] // biome-ignore format: one line
  expect(differing([...addresses, ...special])).toEqual([])
})
