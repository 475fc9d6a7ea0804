import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import type { MapWebhook } from '../../../src/webhooks/in/mapping.ts'
import { primaryEmail, userEvents } from '../../../src/webhooks/in/users.ts'
import { noon, principal, type Sample, sampleSync } from '../../support/sample.ts'
import { schema } from '../../support/schema.ts'
import { openTestStore, type TestStore } from '../../support/stores.ts'

const ms = noon / 1000
/** A user event in the form that Clerk documents. */
function event(type: string, updatedAt: number, changed: object = {}): Record<string, unknown> {
  return {
    data: {
      birthday: '',
      created_at: ms,
      email_addresses: [
        { id: 'idn_1', linked_to: [], object: 'email_address', email_address: 'old@example.com', verification: {} },
        { id: 'idn_2', linked_to: [], object: 'email_address', email_address: 'ada@example.com', verification: {} },
      ],
      external_accounts: [],
      external_id: null,
      first_name: 'Ada',
      id: 'user_2aBc',
      image_url: 'https://img.example/ada',
      last_name: 'Lovelace',
      last_sign_in_at: null,
      object: 'user',
      password_enabled: true,
      primary_email_address_id: 'idn_2',
      private_metadata: {},
      public_metadata: {},
      unsafe_metadata: {},
      updated_at: ms + updatedAt,
      username: null,
      ...changed,
    },
    event_attributes: { http_request: { client_ip: '192.0.2.1', user_agent: 'Mozilla/5.0' } },
    instance_id: 'ins_1',
    object: 'event',
    timestamp: ms + updatedAt + 40,
    type,
  }
}
function deletion(timestamp?: unknown): Record<string, unknown> {
  const data = { deleted: true, id: 'user_2aBc', object: 'user' }
  return {
    data,
    instance_id: 'ins_1',
    object: 'event',
    type: 'user.deleted',
    ...(timestamp !== undefined && { timestamp }),
  }
}

const map = userEvents(schema, {
  table: 'lists',
  row: (user) => ({ name: `${user.first_name} <${primaryEmail(user)}>` }),
})
const place = { scope: 'user_2aBc', table: 'lists', id: 'user_2aBc' }
const row = { name: 'Ada <ada@example.com>' }

describe('userEvents', () => {
  it('puts a user who was created or updated at their own time, and deletes one at the event’s', () => {
    expect(map(event('user.created', 0))).toEqual([{ ...place, op: 'put', row, at: noon }])
    expect(map(event('user.updated', 5))).toEqual([{ ...place, op: 'put', row, at: noon + 5_001 }])
    expect(map(deletion(ms + 9))).toEqual([{ ...place, op: 'delete', at: noon + 9_999 }])
  })

  it('lets the server stamp a deletion that has no time, or one in seconds', () => {
    for (const timestamp of [undefined, null, Math.floor(ms / 1000), '1795226400000', ms + 0.5, 1e300]) {
      expect(map(deletion(timestamp))).toEqual([{ ...place, op: 'delete' }])
    }
  })

  it('ignores other events', () => {
    for (const type of ['session.created', 'organization.updated', 'user.banned', '__proto__', '']) {
      expect(map({ type, object: 'event' })).toEqual([])
    }
  })

  it('follows scope and id, which a deletion has to tell as well', () => {
    const team = userEvents(schema, {
      table: 'todos',
      scope: () => 'directory',
      id: ({ id }) => `user:${id}`,
      row: ({ first_name, last_name }) => ({ title: `${first_name} ${last_name}` }),
    })
    const there = { scope: 'directory', table: 'todos', id: 'user:user_2aBc' }
    expect(team(event('user.updated', 0))).toMatchObject([{ ...there, row: { title: 'Ada Lovelace' } }])
    expect(team(deletion(ms))).toMatchObject([{ ...there, op: 'delete' }])
  })

  it('finds no primary address where there is none', () => {
    const [change] = map(
      event('user.created', 0, { email_addresses: [], primary_email_address_id: null }),
    ) as readonly { row?: object }[]
    expect(change?.row).toEqual({ name: 'Ada <null>' })
  })

  it.each([
    [undefined, 'payload must be an object.'],
    [{}, 'payload.type is missing.'],
    [{ type: 7 }, 'type must be text.'],
    [{ type: 'user.created' }, 'payload.data is missing.'],
    [{ type: 'user.created', data: 'x' }, 'data must be an object.'],
    [{ type: 'user.deleted', data: { deleted: true } }, 'data.id is missing.'],
    [event('user.created', 0, { id: 5 }), 'data.id must be text.'],
    [event('user.updated', 0, { updated_at: 1_795_226_400 }), 'data.updated_at must be milliseconds since 1970.'],
    [event('user.updated', 0, { updated_at: '2026-11-21' }), 'data.updated_at must be milliseconds since 1970.'],
    [event('user.updated', 0, { email_addresses: 'secret' }), 'data.email_addresses must be a list.'],
    [{ type: 'user.created', data: { id: 'u', updated_at: ms } }, 'data.first_name is missing.'],
  ])('refuses %j and says what is missing, without a value', (payload, message) => {
    expect(() => map(payload)).toThrow(new TypeError(message))
  })

  it('is typed by the schema', () => {
    expectTypeOf(map).toExtend<MapWebhook<Sample>>()
    // @ts-expect-error no such column, though it could be left out
    userEvents(schema, { table: 'todos', row: (user) => ({ title: user.id, note: 'x' }) })
    // @ts-expect-error a required column is missing
    userEvents(schema, { table: 'todos', row: () => ({ notes: 'x' }) })
    // @ts-expect-error a name may be null, and the column may not
    userEvents(schema, { table: 'lists', row: ({ first_name }) => ({ name: first_name }) })
    // @ts-expect-error a deletion tells the id and nothing else
    userEvents(schema, { table: 'lists', scope: ({ username }) => `${username}`, row: () => ({ name: 'x' }) })
    // @ts-expect-error no such table
    expect(() => userEvents(schema, { table: 'list', row: () => ({ name: 'x' }) })).toThrow(/lists, todos/)
    expect(() => userEvents(schema, { table: 'lists', rows: 1 } as never)).toThrow('no option rows')
  })
})

describe('its changes, pushed', () => {
  let opened: TestStore
  beforeEach(async () => {
    opened = await openTestStore('libsql file')
  })
  afterEach(() => opened.close())

  const created = event('user.created', 0)
  const early = event('user.updated', 0, { first_name: 'early' })
  const late = event('user.updated', 5, { first_name: 'late' })

  /**
   * Pushes what the events say, in their order, and tells the verdicts and what is left of the
   * user.
   */
  async function play(...events: unknown[]) {
    const sync = sampleSync(opened.store)
    const who = principal('user_2aBc')
    const verdicts: string[] = []
    for (const payload of events) {
      const changes = map(payload).map((change) => ({ ...change, at: change.at ?? noon }))
      verdicts.push(...(await sync.push(who, { client: 'clerk', changes })).verdicts.map(({ verdict }) => verdict))
    }
    const { changes } = await sync.pull(who)
    return [verdicts, changes.map((change) => change.op === 'put' && change.row)]
  }

  it('P1 an older event that arrives later is stale, the same one again a duplicate', async () => {
    const name = (first: string) => [{ name: `${first} <ada@example.com>` }]
    expect(await play(late, early, created, late)).toEqual([['applied', 'stale', 'stale', 'duplicate'], name('late')])
  })

  it('P1 an update in the millisecond of the creation wins in either order', async () => {
    const name = [{ name: 'early <ada@example.com>' }]
    expect(await play(early, created)).toEqual([['applied', 'stale'], name])
    expect(await play(created, early)).toEqual([['stale', 'duplicate'], name])
  })

  it('P8 a deletion wins over every update up to its own millisecond, in either order', async () => {
    expect(await play(created, deletion(ms + 5), late, early)).toEqual([['applied', 'applied', 'stale', 'stale'], []])
    expect(await play(late)).toEqual([['stale'], []])
  })

  it('P8 also one that comes first', async () => {
    expect(await play(deletion(ms + 5), late, created)).toEqual([['applied', 'stale', 'stale'], []])
  })
})
