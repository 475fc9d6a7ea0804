import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fetchPost } from '../../src/webhooks/out/fetch-post.ts'
import { nodePost } from '../../src/webhooks/out/node-post.ts'
import { errorCode, type Post } from '../../src/webhooks/out/post.ts'
import { isPrivateHost } from '../../src/webhooks/out/private-host.ts'
import { isPublicAddress, publicLookup } from '../../src/webhooks/out/public-lookup.ts'
import { signedHeaders } from '../../src/webhooks/out/sign.ts'
import { createSigner } from '../../src/webhooks/signer.ts'
import { type Receiver, receiverSecret, startReceiver } from '../support/receiver.ts'

/**
 * Hosts as an attacker would spell them, who chose an endpoint's URL or the records of its name.
 */
const privateHosts = [
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '127.0.0.1.',
  '0.0.0.0',
  '0',
  '10.1.2.3',
  '100.64.0.1',
  '100.127.255.255',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '[::]',
  '[::1]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:10.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1]',
  '[100::1]',
  '[2001::1]',
  '[2001:2::1]',
  '[2001:10::1]',
  '[2001:db8::1]',
  '[2002:7f00:1::]',
  '[fc00::1]',
  '[fd12:3456::1]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
] as const
const privateNames = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  'a.localhost',
  'db',
  'db.internal',
  'printer.local',
  'nas.home.arpa',
]
const publicHosts = [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '126.0.0.1',
  '128.0.0.1',
  '169.253.0.1',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.0.1',
  '192.0.1.1',
  '198.17.0.1',
  '223.255.255.255',
  '[2606:4700:4700::1111]',
  '[2001:4860:4860::8888]',
  '[2001:470::1]',
]
const publicNames = ['crm.example', 'crm.example.', 'xn--bcher-kva.example', 'localhost.example', '127.0.0.1.example']
const hostnameOf = (host: string) => new URL(`https://${host}/`).hostname
const addressOf = (host: string) => hostnameOf(host).replace(/^\[|\]$/g, '')

describe('which hosts are private', () => {
  it.each([...privateHosts, ...privateNames])('%s is, by its spelling', (host) => {
    expect(isPrivateHost(hostnameOf(host))).toBe(true)
  })
  it.each([...publicHosts, ...publicNames])('%s is not', (host) => {
    expect(isPrivateHost(hostnameOf(host))).toBe(false)
  })
  it.each(privateHosts)('nothing is sent to the address %s', (host) => {
    expect(isPublicAddress(addressOf(host))).toBe(false)
  })
  it.each([...publicHosts, '[64:ff9b::101:101]'])('%s may be sent to', (host) => {
    expect(isPublicAddress(addressOf(host))).toBe(true)
  })
  it('what is no address is none', () => {
    for (const text of ['', 'localhost', '1.1.1.1.1', 'fe80::1%lo']) expect(isPublicAddress(text), text).toBe(false)
  })
})

const body = JSON.stringify({ type: 'sync.committed', data: { scope: 's', from: 0, to: 1 } })
const send = async (post: Post, url: string) =>
  post(url, await signedHeaders(createSigner(receiverSecret), 'msg_1', new Date(), body), body)
const codeOf = (sent: Promise<unknown>) => sent.then(() => 'sent', errorCode)

describe.each([
  ['Node', nodePost],
  ['a worker', ({ msMax }: { msMax?: number }) => fetchPost(msMax)],
])('a delivery from %s', (_, makePost) => {
  let receiver: Receiver
  beforeAll(async () => {
    receiver = await startReceiver()
  })
  afterAll(() => receiver.close())

  it('follows no redirect, asks no proxy, and takes the answer by its head', async () => {
    const post = makePost({ allowPrivate: true })
    const { length } = receiver.received
    for (const status of [301, 302, 303, 307, 308]) {
      receiver.answers(() => ({ status, headers: { Location: `${receiver.url}/elsewhere` } }))
      expect(await send(post, receiver.url)).toMatchObject({ status })
    }
    expect(receiver.received.slice(length).map(({ path }) => path)).toEqual(Array(5).fill('/hook'))
    receiver.answers(() => ({ status: 429, headers: { 'Retry-After': '7' } }))
    expect(await send(post, receiver.url)).toEqual({ status: 429, retryAfter: '7' })
    receiver.answers(() => ({ status: 200, headers: { 'Content-Length': '1000000' } }))
    expect(await send(post, receiver.url)).toMatchObject({ status: 200 })
    process.env.HTTP_PROXY = process.env.http_proxy = process.env.NODE_USE_ENV_PROXY = 'http://127.0.0.1:1'
    receiver.answers(() => 204)
    expect(await send(post, receiver.url)).toMatchObject({ status: 204 })
    for (const name of ['HTTP_PROXY', 'http_proxy', 'NODE_USE_ENV_PROXY']) delete process.env[name]
  })

  it('gives up in time, and says of a receiver that is away or dies why', async () => {
    const post = makePost({ allowPrivate: true, msMax: 200 })
    receiver.answers(() => 'stall')
    expect(await codeOf(send(post, receiver.url))).toBe('timeout')
    receiver.answers(() => 'cut')
    expect(await codeOf(send(post, receiver.url))).toMatch(/^(econnreset|und_err_socket)$/)
    await receiver.close()
    // fetch may find the end of a connection that it had kept.
    expect(await codeOf(send(post, receiver.url))).toMatch(/^(econnrefused|und_err_socket)$/)
    await receiver.open()
    receiver.answers(() => 204)
    expect(await send(post, receiver.url)).toMatchObject({ status: 204 })
  })
})

describe('where a delivery from Node goes', () => {
  let receiver: Receiver
  beforeAll(async () => {
    receiver = await startReceiver()
  })
  afterAll(() => receiver.close())
  const port = () => new URL(receiver.url).port
  const spelled = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.0.0.1.',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::127.0.0.1]',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
  ]

  it.each(spelled)('does not connect to %s', async (host) => {
    const { length } = receiver.received
    expect(await codeOf(send(nodePost(), `http://${host}:${port()}/`))).toMatch(
      /^(private_address|enotfound|eai_again)$/,
    )
    expect(receiver.received).toHaveLength(length)
  })

  it('connects there where the setting allows it', async () => {
    for (const host of ['127.0.0.1', 'localhost'])
      expect(await send(nodePost({ allowPrivate: true }), `http://${host}:${port()}/`)).toMatchObject({ status: 204 })
    expect(receiver.received.at(-1)).toMatchObject({ id: 'msg_1', from: 0, to: 1 })
  })

  it('does not connect where any address of the name is private, and asks for the addresses once', async () => {
    let asked = 0
    const answers = [
      ['93.184.215.14', '127.0.0.1'],
      ['127.0.0.1'],
      ['::ffff:127.0.0.1'],
      ['2606:4700::1', 'fe80::1'],
      [],
    ]
    for (const answer of answers) {
      const resolve: NonNullable<Parameters<typeof publicLookup>[0]> = (_host, _options, callback) => {
        asked++
        callback(
          null,
          answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        )
      }
      expect(await codeOf(send(nodePost({ resolve }), `http://rebind.example:${port()}/`))).toBe('private_address')
    }
    expect(asked).toBe(answers.length)
    // A name that is public when it is checked and private right after: what was checked is what is
    // connected to.
    let times = 0
    const lookup = publicLookup((_host, _options, callback) =>
      callback(null, [{ address: ++times === 1 ? '93.184.215.14' : '127.0.0.1', family: 4 }]),
    )
    const found = await new Promise((done) => lookup('rebind.example', { all: true }, (_error, all) => done(all)))
    expect([found, times]).toEqual([[{ address: '93.184.215.14', family: 4 }], 1])
  })
})
