import { signToken } from './sign-token.ts'

/** Prints a development token and two lines of curl to paste. */
export async function printToken(url: string, secret: string): Promise<void> {
  const token = await signToken(secret, { sub: 'alice' })
  const at = Date.now() * 1000
  console.log(`
Development token for alice, 24 hours (npx driftline token --sub bob makes another):
${token}

Push a row, then pull it:
curl -sS ${url}/v1/sync -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"client":"phone-1","cursor":null,"changes":[{"table":"todos","op":"put","id":"1","at":${at},"row":{"title":"Buy milk"}}]}'
curl -sS ${url}/v1/pull -H 'Authorization: Bearer ${token}'`)
}
