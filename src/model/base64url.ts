/**
 * base64url without padding, as on the wire, to the hexadecimal digits that both databases read.
 */
export function base64urlToHex(text: string): string {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  let hex = ''
  for (let place = 0; place < binary.length; place++) hex += hexPairs[binary.charCodeAt(place)]
  return hex
}

export function hexToBase64url(hex: string): string {
  let binary = ''
  for (let place = 0; place < hex.length; place += 2)
    binary += String.fromCharCode(Number.parseInt(hex.slice(place, place + 2), 16))
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
