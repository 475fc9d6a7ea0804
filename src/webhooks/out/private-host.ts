/**
 * Whether a host, as `new URL` spells it, is surely not a public one: an address outside of the
 * public ranges, or a name that only means something near by. Decimal, octal and hexadecimal
 * addresses have become ordinary ones by then. Says nothing of what any other name resolves to: see
 * public-lookup.ts.
 */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/\.$/, '')
  if (host.startsWith('[')) {
    // 2000::/3 is what is given out. Of it 2001::/23, 2001:db8::/32 and 2002::/16 are not, or hold
    // an IPv4 address.
    return !/^\[[23][0-9a-f]{3}:/.test(host) || /^\[200(1:(db8:|1?[0-9a-f]{0,2}:|:)|2:)/.test(host)
  }
  if (!/^\d+(\.\d+){3}$/.test(host)) return !/^(?!.*\.(localhost|local|internal|home\.arpa)$).+\../.test(host)
  const [a = 0, b = 0, c = 0] = host.split('.').map(Number)
  return (
    [0, 10, 127].includes(a) ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99))) ||
    (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) ||
    (a === 203 && b === 0 && c === 113)
  )
}
