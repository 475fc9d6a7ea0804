/**
 * A token that somebody sends, and whether a server that trusts the key of its issuer has to take
 * it.
 */
export interface TokenCase {
  readonly name: string
  readonly token: string
  readonly taken: boolean
}

export const refused = (name: string, token: string): TokenCase => ({ name, token, taken: false })
export const taken = (name: string, token: string): TokenCase => ({ name, token, taken: true })
