import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { readConfig } from '../../src/runtime/settings.ts'
import { sqlite } from '../../src/sql/sqlite/dialect.ts'
import { readEndpoints, scopeMatcher } from '../../src/webhooks/out/endpoints.ts'
import { receiverSecret as secret } from '../support/receiver.ts'
import { schema } from '../support/schema.ts'

const good = { name: 'crm', url: 'https://crm.example/hook?a=1', secret }
const read = (list: unknown, allowPrivate = false) => readEndpoints(JSON.stringify(list), allowPrivate)

describe('WEBHOOK_ENDPOINTS', () => {
  it('is a list of endpoints, empty where it is not set', () => {
    expect(readEndpoints(undefined, false)).toEqual([])
    expect(readEndpoints('', false)).toEqual([])
    const full = { ...good, scopes: ['team:*', 'alice'], tables: ['todos'], rows: true, resend: '2026-11-21T12:00:00Z' }
    expect(read(Array.from({ length: 20 }, (_, n) => ({ ...good, name: `n${n}` })))).toHaveLength(20)
    expect(read([full, { ...good, name: 'other' }])).toEqual([full, { ...good, name: 'other' }])
    expect(readConfig({ WEBHOOK_ENDPOINTS: JSON.stringify([good]) })).toMatchObject({
      deliveries: [good],
      webhookAllowPrivate: false,
    })
  })

  it.each([
    ['{', /must be a JSON array of 20 objects at the most, such as/],
    ['{}', /must be a JSON array/],
    ['[1]', /write \{"name".*in the object at 0$/],
    ['[null]', /write \{"name"/],
    [[good, { ...good, name: 'b', uri: 1 }], /members are name, url.*take out "uri" in the object at 1$/],
    [[{ ...good, name: 'a b' }], /name must be 1 to 64 of/],
    [[{ ...good, name: 'a'.repeat(65) }], /name must be/],
    [[{ ...good, name: 7 }], /name must be/],
    [[good, good], /another name than crm.*in the object at 1$/],
    [[{ ...good, url: 'crm.example' }], /url must begin with https:/],
    [[{ ...good, url: 'http://crm.example' }], /url must begin with https:/],
    [[{ ...good, url: 'ftp://crm.example' }], /url must begin with https:/],
    [[{ ...good, url: 'https://user:pass@crm.example' }], /hold no password/],
    [[{ ...good, url: 'https://10.0.0.1/' }], /no private host, unless WEBHOOK_ALLOW_PRIVATE is true/],
    [[{ ...good, secret: 'cAnArY' }], /secret must be whsec_ and 24 to 64 bytes in base64/],
    [[{ ...good, secret: `whsec_${btoa('cAnArY too short')}` }], /secret must be/],
    [[{ ...good, secret: `whsec_${btoa('x'.repeat(65))}` }], /secret must be/],
    [[{ ...good, secret: undefined }], /secret must be/],
    [[{ ...good, scopes: [] }], /scopes must be patterns/],
    [[{ ...good, scopes: 'team:*' }], /scopes must be patterns/],
    [[{ ...good, tables: [1] }], /tables must be names/],
    [[{ ...good, resend: 'now' }], /resend must be a time such as/],
    [Array.from({ length: 21 }, (_, n) => ({ ...good, name: `n${n}` })), /array of 20 objects at the most/],
    [[{ ...good, rows: 'yes' }], /rows must be true or false/],
  ])('that is wrong is refused by what to write, without a secret or a URL: %j', (value, sentence) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    expect(() => readEndpoints(text, false)).toThrow(TypeError)
    expect(() => readEndpoints(text, false)).toThrow(sentence)
    let said = ''
    try {
      readEndpoints(text, false)
    } catch (error) {
      said = String(error)
    }
    expect(said).not.toMatch(/MfKQ|cAnArY|user:|hook\?a/)
  })

  it('may name private hosts and plain HTTP where WEBHOOK_ALLOW_PRIVATE is true', () => {
    const near = [{ ...good, url: 'http://127.0.0.1:8899/' }]
    expect(read(near, true)).toEqual(near)
    const text = JSON.stringify(near)
    expect(() => readConfig({ WEBHOOK_ENDPOINTS: text })).toThrow(/url must begin/)
    expect(readConfig({ WEBHOOK_ENDPOINTS: text, WEBHOOK_ALLOW_PRIVATE: 'true' }).webhookAllowPrivate).toBe(true)
    expect(() => readConfig({ WEBHOOK_ALLOW_PRIVATE: 'yes' })).toThrow('WEBHOOK_ALLOW_PRIVATE must be true or false')
  })

  it('that names a table which is not in the schema ends the start', () => {
    const store = { dialect: sqlite, batch: async () => [], close: async () => {} }
    const deliveries = [{ ...good, tables: ['todo'] }]
    expect(() => createApp({ schema, store, auth: { secret }, deliveries })).toThrow(
      'The endpoint crm is for the table todo, which the schema does not have',
    )
  })

  it.each([
    [undefined, 'anything', true],
    [['*'], 'a\nb', true],
    [['team:*'], 'team:9', true],
    [['team:*'], 'team:', true],
    [['team:*'], 'my team:9', false],
    [['team:*'], 'team', false],
    [['alice'], 'alice', true],
    [['alice'], 'alice2', false],
    [['a.c'], 'abc', false],
    [['(a|b)+'], '(a|b)+', true],
    [['*:9', 'x*y*z'], 'x-y-z', true],
    [['*:9', 'x*y*z'], 'x-z-y', false],
  ])('%j takes the scope %j: %s', (scopes, scope, taken) => {
    expect(scopeMatcher({ ...good, ...(scopes && { scopes }) })(scope)).toBe(taken)
  })
})
