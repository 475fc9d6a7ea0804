/** Why a batch undid itself: what a statement raised on purpose. */
export const markers = [
  'driftline_resync',
  'driftline_missing',
  'driftline_swallowed',
  'driftline_probe',
  'driftline_unmet',
  'driftline_repeated',
  'driftline_large',
  'driftline_grown',
  'driftline_full',
  'driftline_changed',
  'driftline_taken',
  'driftline_expired',
  'driftline_late',
  'driftline_absent',
  'driftline_unmade',
] as const
export type Marker = (typeof markers)[number]

/** An expression that fails its statement with the marker. */
export type Raise = (marker: Marker, salt: string) => string

/** How a database fails a statement, see `Dialect`. */
interface Raising {
  raise(text: string, salt: string): string
}

/**
 * What a raised marker looks like. The nonce is drawn at random for each process and stands in
 * statements alone, so that no text of a user, which a trigger or a failed cast may repeat in its
 * message, can be taken for a marker.
 */
export function raiseWith({ raise }: Raising, nonce: string): Raise {
  return (marker, salt) => raise(`${marker}_${nonce}_`, salt)
}

/** The marker that a statement of this nonce raised, by the message of the driver. */
export function markerIn(message: string, nonce: string): Marker | undefined {
  return markers.find((marker) => message.includes(`${marker}_${nonce}_`))
}

export function drawNonce(): string {
  return crypto.randomUUID().replaceAll('-', '')
}
