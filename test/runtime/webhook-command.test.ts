import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../support/command.ts'
import { runHere } from '../support/run-here.ts'
import { temporaryFolder } from '../support/stores.ts'

const secret = `whsec_${Buffer.from('a secret of thirty-two bytes, yes').toString('base64')}`
const another = `whsec_${btoa('another secret of thirty-two byte')}`
const WEBHOOK_SECRETS = JSON.stringify({ crm: [secret, another], shop: another })
const payload = `{"scope":"alice","changes":[{"table":"todos","op":"put","id":"w1","row":{"title":"Ada's €"}}]}`

describe('npx driftline webhook', () => {
  let receiver: Server
  let url: string
  let seen: { path: string | undefined; id: unknown; payload: unknown }[]
  let status: number
  beforeEach(async () => {
    ;[seen, status] = [[], 202]
    receiver = createServer(async (request, response) => {
      const body = await text(request)
      try {
        const verified = new Webhook(secret).verify(body, request.headers as Record<string, string>)
        seen.push({ path: request.url, id: request.headers['webhook-id'], payload: verified })
        response.writeHead(status).end('{"status":"taken"}')
      } catch {
        response.writeHead(401).end('{"code":"unauthorized"}')
      }
    }).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  })
  afterEach(() => void receiver.close())
  const run = (args: string[], options: { input?: string } = {}, env = { WEBHOOK_SECRETS }) =>
    options.input === undefined
      ? runHere('webhook', ['--url', url, ...args], env)
      : runCli('webhook', ['--url', url, ...args], env, options)

  it('signs a payload with the secret of its source and sends it', async () => {
    expect(await run(['--source', 'crm', payload])).toEqual({
      code: 0,
      out: '202 Accepted\n{"status":"taken"}\n',
      err: '',
    })
    expect(seen).toEqual([
      { path: '/v1/webhooks/crm', id: expect.stringMatching(/^msg_[0-9a-f]{32}$/), payload: JSON.parse(payload) },
    ])
  })

  it('takes a payload from a file and from standard input, an id, and a secret beside the setting', async () => {
    const { folder, drop } = await temporaryFolder()
    const file = join(folder, 'payload.json')
    await writeFile(file, payload)
    expect(await run(['--source', 'crm', '--id', 'msg_1', file])).toMatchObject({ code: 0 })
    expect(
      await run(['--source', 'a/b', '--secret', secret, '-'], { input: payload }, { WEBHOOK_SECRETS: '' }),
    ).toMatchObject({ code: 0 })
    expect(seen).toMatchObject([
      { id: 'msg_1', payload: JSON.parse(payload) },
      { path: '/v1/webhooks/a%2Fb', payload: JSON.parse(payload) },
    ])
    await drop()
  })

  it('prints what was refused and ends with 1', async () => {
    expect(await run(['--source', 'shop', payload])).toEqual({
      code: 1,
      out: '401 Unauthorized\n{"code":"unauthorized"}\n',
      err: '',
    })
    status = 422
    expect(await run(['--source', 'crm', payload])).toMatchObject({ code: 1, out: expect.stringMatching(/^422 /) })
  })

  it('prints a curl command that does the same', async () => {
    const { code, out } = await run(['--source', 'crm', '--print', payload])
    expect([code, seen]).toEqual([0, []])
    expect(await promisify(execFile)('sh', ['-c', out])).toMatchObject({
      stdout: expect.stringMatching(/^HTTP\/1.1 202 /),
    })
    expect(seen).toMatchObject([{ payload: JSON.parse(payload) }])
  })

  it.each([
    [[], /^Say from where and what: /],
    [['--source', 'crm'], /^Say from where and what: /],
    [['--source', 'crm', '{}', '{}'], /^Too many arguments\. The options are --source …, .*, then the payload: /],
    [['--sourse', 'crm', '{}'], /^Unknown option '--sourse'\. The options are --source …, --url …, /],
    [['--source', 'erp', '{}'], /^Set WEBHOOK_SECRETS='{"erp":"whsec_…"}'/],
    [['--source', '__proto__', '{}'], /^Set WEBHOOK_SECRETS=/],
    [
      ['--source', 'crm', '--secret', '%', '{}'],
      /^A webhook secret must be whsec_ and the base64 of 24 to 64 bytes, .*\n$/,
    ],
    [['--source', 'crm', '--url', 'http://127.0.0.1:1', '{}'], /^Nothing answers at http:\/\/127.0.0.1:1\. /],
    [['--source', 'crm', 'no-such-file.json'], /^ENOENT: /],
  ])('says in one sentence what is wrong with %j', async (args, message) => {
    expect(await run(args)).toEqual({ code: 1, out: '', err: expect.stringMatching(message) })
  })

  it('shows nothing of a setting that is no JSON', async () => {
    const { err } = await run(['--source', 'crm', '{}'], {}, { WEBHOOK_SECRETS: 'whsec_verysecret' })
    expect(err).toBe('WEBHOOK_SECRETS must be JSON such as {"crm":"whsec_…"}\n')
  })
})
