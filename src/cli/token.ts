import { devSecret } from '../runtime/dev-secret.ts'
import { readConfig } from '../runtime/settings.ts'
import { signToken } from '../runtime/sign-token.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'

/**
 * `npx driftline token --sub alice --scopes team:9 --read news --hours 24`: a token of the server's
 * own secret.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline token',
    does: "Prints a token that is signed with the server's own secret: AUTH_SECRET, or that of development.",
  }
  const values = readArgs(help, {
    sub: { type: 'string', help: 'for whom, which is also the first scope' },
    scopes: { type: 'string', default: '', help: 'more scopes to read and write, between commas' },
    read: { type: 'string', default: '', help: 'scopes to read only, between commas' },
    hours: { type: 'string', default: '24', help: 'how long it is good for' },
  })
  if (!values.sub) throw new TypeError('Say for whom: npx driftline token --sub alice --scopes team:9 --read news')
  const hours = Number(values.hours)
  if (!(hours > 0 && hours <= 8_760)) throw new TypeError('--hours must be a number from 0 to 8760')
  const { auth, development } = readConfig(process.env, (await loadApp()).sources)
  const secret = development ? devSecret() : auth.secret
  if (!secret) throw new TypeError('Tokens come from the issuer behind AUTH_JWKS_URL, not from here')
  const list = (text: string) => text.split(',').filter((scope) => scope !== '')
  // As objects, which are never taken for permissions of OAuth whatever they are called.
  const grant = (text: string, access: 'read' | 'write') => list(text).map((id) => ({ id, access }))
  const scopes = [...grant(values.scopes, 'write'), ...grant(values.read, 'read')]
  const { issuer, audience, scopesClaim, subClaim } = auth
  if (subClaim !== undefined || (scopes.length > 0 && scopesClaim !== undefined && scopesClaim !== 'scopes'))
    throw new TypeError(
      'Unset AUTH_SUB_CLAIM and AUTH_SCOPES_CLAIM: tokens are made here with the claims sub and scopes',
    )
  console.log(
    await signToken(secret, {
      sub: values.sub,
      scopes,
      seconds: hours * 3_600,
      ...(issuer && { issuer }),
      ...(audience && { audience }),
    }),
  )
}
