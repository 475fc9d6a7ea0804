import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { limits } from '../model/limits.ts'
import { schemes } from '../webhooks/in/schemes.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'

/** Of no use to anybody but who tries it out: it stands in docs/webhooks.md. */
const exampleSecret = 'whsec_ZHJpZnRsaW5lLWV4YW1wbGUtc2VjcmV0LW9ubHk='

/**
 * `npx driftline receive --port 8899`: a receiver of outgoing webhooks to try them with. Verifies
 * each and prints it. `-- --status 500`: answers that instead, as one that fails.
 */
export async function run(_: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline receive',
    does: 'Receives webhooks out to try them: verifies each and prints it.',
  }
  const args = readArgs(help, {
    port: { type: 'string', default: '8899', help: 'where on this machine' },
    secret: { type: 'string', default: exampleSecret, help: 'the secret of the endpoint' },
    status: { type: 'string', default: '204', help: 'what it answers: 500 is one that fails' },
  })
  const [port, status] = [Number(args.port), Number(args.status)]
  if (!(Number.isInteger(port) && port >= 0 && port < 65_536)) throw new TypeError('--port must be from 0 to 65535')
  if (!(Number.isInteger(status) && status >= 200 && status < 600))
    throw new TypeError('--status must be from 200 to 599')
  const { standard } = schemes
  const key = standard.readKey(args.secret)
  const isTimely = (seconds: string) => Math.abs(Date.now() - Number(seconds) * 1000) <= limits.webhookAgeMsMax
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => '')
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers)) if (typeof value === 'string') headers.set(name, value)
    const id = await standard.verify([key], { headers, body }, isTimely)
    console.log(id === undefined ? 'A request whose signature is not ours, refused' : `${id} ${body}`)
    response.writeHead(id === undefined ? 401 : status).end()
  })
  server.on('error', (error) => {
    console.error(`It cannot listen: ${error.message}`)
    process.exitCode = 1
  })
  server.listen(port, '127.0.0.1', () => {
    const address = server.address()
    if (typeof address === 'object') console.log(`Receives on http://127.0.0.1:${address?.port}/`)
  })
}
