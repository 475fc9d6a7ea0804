import { PayloadFault } from '../../src/model/payload-fault.ts'
import type { WebhookChange } from '../../src/webhooks/in/mapping.ts'
import type { WebhookSources } from '../../src/webhooks/in/sources.ts'
import type { schema } from './schema.ts'

interface Deal {
  readonly kind?: string
  readonly key: unknown
  readonly name?: string
  readonly team?: string
  readonly at?: number
  readonly tags?: readonly string[]
  readonly many?: number
}

function map(payload: unknown, headers: Headers): readonly WebhookChange<typeof schema>[] {
  const { kind = headers.get('x-kind'), key, name = '', team, at, tags = [], many = 0 } = payload as Deal
  if (kind === 'ping') return []
  if (kind === 'lost') throw new PayloadFault('deal.owner is missing.')
  if (kind === 'bug') throw new Error(`secret of ${name}`)
  if (kind === 'wrong') return { wrong: true } as never
  const place = { id: String(key), ...(team !== undefined && { scope: team }), ...(at !== undefined && { at }) }
  if (kind === 'gone') return [{ ...place, table: 'lists', op: 'delete' }]
  if (kind === 'large') return [{ ...place, table: 'lists', op: 'put', row: { name: name.repeat(1_100) } }]
  const more = tags.length > 0 ? tags : Array.from({ length: many }, (_, n) => `tag ${n}`)
  const list = { ...place, table: 'lists', op: 'put', row: { name } } as const
  return [
    list,
    ...more.map((tag, n) => ({ ...place, table: 'todos', op: 'put', id: `${key}-${n}`, row: { title: tag } }) as const),
  ]
}

/** A source whose mapping makes of a deal a list, and a todo of each of its tags; and two others. */
export const mappedSources: WebhookSources<typeof schema> = {
  crm: { scopes: ['team:*', 'alice'], map: async (payload, headers) => map(payload, headers) },
  plain: { verify: 'github' },
}
