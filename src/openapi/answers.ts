import { type ProblemCode, problems, rejectionCodes, retryables } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { closed, type Json, oneOf, ref } from './schema.ts'
import { pageRows, valueSchemas } from './values.ts'

const [client, scope, cursor, now] = ['client', 'scope', 'cursor', 'now'].map(ref)

const verdicts = {
  type: 'array',
  maxItems: limits.changesMax,
  items: ref('verdict'),
  description: 'verdicts[i] answers changes[i].',
}
const changes = {
  type: 'array',
  maxItems: limits.pageRowsMax,
  items: ref('stored'),
  description: 'In the order of their commits; without what this request wrote.',
}
/** Of an import, before anything is taken or in its last line. */
export const importing: readonly ProblemCode[] = [
  ...(['malformed', 'unauthorized', 'no_scope', 'body_too_large', 'unsupported_media_type'] as const),
  ...(['request_timeout', 'quota_exceeded', 'internal', 'unavailable', 'keys_unavailable'] as const),
]

const count = { type: 'integer', minimum: 0 }
const rows = { ...count, description: 'Rows that are to come. Writes that go on meanwhile may change it a little.' }
const more = { type: 'boolean', description: 'True: ask again now.' }
const removedScopes = {
  type: 'array',
  minItems: 1,
  items: scope,
  description: 'Scopes of the cursor that the token no longer grants: drop their rows.',
}
const page = { changes, cursor, more, removed_scopes: removedScopes }

const pushed = {
  client,
  changes: { type: 'array', maxItems: limits.changesMax, default: [], items: ref('change') },
  atomic: { type: 'boolean', default: false, description: 'All or nothing, of one scope.' },
  return: {
    type: 'string',
    enum: ['all', 'lost'],
    default: 'all',
    description: 'lost: leave out the rows that the client holds already.',
  },
  cursor: {
    ...valueSchemas.cursor,
    type: ['string', 'null'],
    description: 'null: from the beginning. Absent: no changes are asked for.',
  },
}

const columns = ref('columns')
const safe = { minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }
const lost = {
  type: 'array',
  minItems: 1,
  items: { type: 'string' },
  description: 'Columns of the change that lost to a greater stamp, where others of it won.',
}
/** What an app knows. */
const columnsSchema = {
  type: ['integer', 'object'],
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  additionalProperties: { type: 'array', items: { type: 'string' } },
  description:
    'What the app knows of the schema: its version, or the names of the columns that it knows of each table. Rows come with these and no others, and a put leaves all others as they are. Absent: rows come whole, and a put leaves as they are the columns of later versions that its change set does not name.',
}

/** The bodies of requests and answers, and their parts. */
export const answerSchemas: Json = {
  ...valueSchemas,
  columns: columnsSchema,
  seen: closed({ at: { type: 'integer', format: 'int64', ...safe }, by: client }, ['at', 'by'], {
    description:
      'The stamp of the row as it was pulled. Where the row has another one, or there is none, the change is rejected changed.',
  }),
  'sync.request': closed({ ...pushed, limit: pageRows, columns }, ['client']),
  'pull.request': closed(
    {
      cursor: { ...pushed.cursor, description: 'null or absent: from the beginning.' },
      ...{ limit: pageRows, columns, count: { type: 'boolean', default: false } },
    },
    [],
  ),
  'push.request': closed(
    {
      ...pushed,
      cursor: { ...pushed.cursor, description: 'Only checked: one that must resync applies nothing.' },
      columns,
    },
    ['client'],
  ),
  'webhook.request': closed(
    {
      client: { ...client, description: 'The source, which need not be said.' },
      scope: { ...scope, description: 'Where changes go that name no scope of their own.' },
      changes: { ...pushed.changes, items: ref('webhook.change') },
      atomic: pushed.atomic,
    },
    ['changes'],
  ),
  'webhook.answer': closed({ now, verdicts: { ...verdicts, items: ref('webhook.verdict') } }),
  'webhook.verdict': closed(
    {
      verdict: { type: 'string', enum: ['applied', 'duplicate', 'stale', 'rejected'] },
      action: { type: 'string', enum: ['inserted', 'updated', 'deleted'] },
      lost,
      error: ref('rejection'),
    },
    ['verdict'],
    { description: 'Without the row: it is kept for a retry.' },
  ),
  'sync.answer': closed({ now, verdicts, ...page }, ['now', 'verdicts'], {
    dependentRequired: {
      changes: ['cursor', 'more'],
      cursor: ['changes', 'more'],
      more: ['changes', 'cursor'],
      removed_scopes: ['changes', 'cursor', 'more'],
    },
  }),
  'push.answer': closed({ now, verdicts }),
  'pull.answer': closed({ now, rows, ...page }, ['now', 'changes', 'cursor', 'more']),
  me: closed({
    now,
    subject: { type: 'string' },
    scopes: {
      type: 'array',
      items: closed({ id: scope, access: { type: 'string', enum: ['read', 'write'] } }),
      description: 'The first is where a change goes that names none.',
    },
    expires_at: { ...valueSchemas.now, description: 'When the token ends, in microseconds since 1970.' },
  }),
  'stream.line': {
    description:
      'One line of a stream: first how many rows are to come and the time, then changes, and after each page the cursor that goes on from there.',
    oneOf: [ref('stored'), ref('stream.cursor'), ref('stream.rows')],
  },
  'stream.rows': closed({ rows, now }, ['rows', 'now']),
  'import.line': {
    description: 'One line of the answer to an import: a line that was rejected, how far it is, or what ended it.',
    oneOf: [ref('import.rejection'), ref('import.total'), ref('import.problem')],
  },
  'import.rejection': closed(
    {
      line: { ...count, minimum: 1 },
      error: ref('rejection'),
      text: { type: 'string', description: 'By a source: the line as it came, where it is UTF-8 and not too long.' },
    },
    ['line', 'error'],
  ),
  'import.total': closed(
    {
      lines: { ...count, description: 'The lines up to this one are taken for good.' },
      ...{ applied: count, duplicate: count, stale: count, rejected: count },
      passed: { ...count, description: 'By a source: lines of which its mapping made no change.' },
      unlisted: {
        type: 'object',
        additionalProperties: { ...count, minimum: 1 },
        description: `Rejected lines that have no line of their own, by their code: those after the first ${limits.importRejectedMax}.`,
      },
      done: { type: 'boolean', const: true, description: 'In the last line, once all is taken.' },
    },
    ['lines', 'applied', 'duplicate', 'stale', 'rejected'],
  ),
  'import.problem': closed({ problem: { oneOf: importing.map((code) => ref(`problem.${code}`)) } }),
  'stream.cursor': closed({ cursor, more, removed_scopes: removedScopes }, ['cursor', 'more']),
  verdict: oneOf(
    'verdict',
    Object.fromEntries(['applied', 'duplicate', 'stale', 'rejected'].map((name) => [name, `verdict.${name}`])),
  ),
  'verdict.applied': verdict(
    'applied',
    { action: { type: 'string', enum: ['inserted', 'updated', 'deleted'] }, lost, current: ref('stored') },
    ['action'],
  ),
  'verdict.duplicate': {
    ...verdict('duplicate', { current: ref('stored') }, []),
    description: 'What the change says is there already, by this very stamp.',
  },
  'verdict.stale': {
    ...verdict('stale', { current: ref('stored') }, ['current']),
    description: 'Nothing of the change took effect, since something greater is there: current.',
  },
  'verdict.rejected': {
    ...verdict('rejected', { error: ref('rejection'), current: ref('stored') }, ['error']),
    description:
      'With current where the row is not as "if" says (changed), and where another holds the key (key_taken): that one. The same change again would be rejected again, unless error.retryable says otherwise.',
  },
  rejection: closed(
    {
      code: { type: 'string', enum: rejectionCodes },
      detail: { type: 'string' },
      retryable: {
        enum: retryables,
        description:
          'true (send_fewer): keep the change, and send it in a smaller change set. with_another_token: keep the change, and send it with a token that grants its scope. with_another_version: keep the change for a later version of the server. false: it would always be rejected.',
      },
      constraint: {
        type: 'string',
        description: 'Of a constraint for which the schema has a message: its name. The detail is that message.',
      },
    },
    ['code', 'detail', 'retryable'],
  ),
  health: closed({ status: { type: 'string', const: 'ok' } }),
  ...Object.fromEntries(Object.keys(problems).map((code) => [`problem.${code}`, problemSchema(code as ProblemCode)])),
}

function verdict(name: string, members: Json, required: readonly string[]): Json {
  return closed({ verdict: { type: 'string', const: name }, ...members }, ['verdict', ...required])
}

/** What the answer to a failed request says beside the members of RFC 9457. */
function problemMembers(code: ProblemCode): Json {
  if (code === 'atomic_rejected') {
    const index = { type: 'integer', minimum: 0, description: 'Of the first change that was rejected.' }
    return { now, index, error: ref('rejection') }
  }
  if (code !== 'resync') return {}
  return {
    now,
    reason: { type: 'string', enum: ['pruned', 'restored'] },
    scopes: { type: 'array', minItems: 1, items: scope, description: 'Drop their rows, keep the outbox.' },
    cursor: { ...cursor, description: 'The cursor without them: go on from here.' },
  }
}

function problemSchema(code: ProblemCode): Json {
  const { status, title, retryable } = problems[code]
  return closed({
    type: { type: 'string', const: `urn:driftline:problem:${code}` },
    title: { type: 'string', const: title },
    status: { type: 'integer', const: status },
    code: { type: 'string', const: code },
    detail: { type: 'string' },
    retryable: { type: 'boolean', const: retryable },
    request_id: { type: 'string', format: 'uuid' },
    ...problemMembers(code),
  })
}
