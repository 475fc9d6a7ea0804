import { createApp } from '../http/app.ts'
import type { Inflate } from '../http/inflate.ts'
import { problemResponse } from '../http/problem.ts'
import type { Gzip } from '../http/pull.ts'
import type { Live } from '../live/live.ts'
import { Problem } from '../model/errors.ts'
import type { Schema } from '../model/table.ts'
import { logError, requestLog } from '../observe/log.ts'
import type { ReadDocument } from '../openapi/read-document.ts'
import type { Store } from '../stores/store.ts'
import { fetchPost } from '../webhooks/out/fetch-post.ts'
import type { Post } from '../webhooks/out/post.ts'
import { createSender } from '../webhooks/out/send.ts'
import type { AppConfig } from './app-config.ts'
import { authWarnings } from './auth-settings.ts'
import { sentencesOf } from './read-each.ts'
import { hasKey, type Settings } from './settings.ts'

/** What a runtime has, beside the settings. */
export interface OpenOptions<S extends Schema> extends AppConfig<S> {
  readonly openStore: () => Store | Promise<Store>
  readonly settings: Settings
  /** What to do where no token could be verified. */
  readonly noKey: string
  /** Lets what goes on after an answer, such as a webhook out, come to its end. */
  readonly waitUntil: (work: Promise<unknown>) => void
  /** Sends webhooks out. */
  readonly post?: Post | undefined
  readonly live?: Live | undefined
  readonly documents?: ReadDocument | undefined
  readonly inflate?: Inflate | undefined
  readonly gzip?: Gzip | undefined
}

/**
 * The server of an app by its settings, where nothing but requests starts it: a worker, or a plain
 * handler. Throws a `TypeError` with a sentence where no token could be verified.
 */
export async function openApp<S extends Schema>(options: OpenOptions<S>): Promise<ReturnType<typeof createApp>> {
  const { schema, sources = {}, settings, waitUntil, post = fetchPost() } = options
  if (!hasKey(settings)) throw new TypeError(options.noKey)
  for (const warning of authWarnings(settings.auth)) console.warn(warning)
  const onRequest = requestLog(settings.log)
  const { live, documents, inflate, gzip } = options
  const store = await options.openStore()
  const sender = createSender({ store, schema, endpoints: settings.deliveries, post })
  return createApp({
    ...{ schema, store },
    ...settings,
    webhooks: sources,
    onCommit(scope) {
      if (!store.tendsItself && sender.matches(scope)) waitUntil(sender.sendScope(scope))
    },
    ...(onRequest && { onRequest }),
    ...(live && { live }),
    ...(documents && { documents }),
    ...(inflate && { inflate }),
    ...(gzip && { gzip }),
  })
}

/**
 * A wrong or missing setting, said to whoever deploys and calls: the sentence holds no value of a
 * secret.
 */
export function refuse(error: unknown): Response {
  const requestId = crypto.randomUUID()
  const answer = (fault: unknown) => {
    const response = problemResponse(fault, requestId)
    // As on every other answer.
    response.headers.set('Server-Timing', 'total;dur=0.0')
    response.headers.set('X-Request-Id', requestId)
    return response
  }
  if (!(error instanceof TypeError)) {
    logError('start', error, requestId)
    return answer(error)
  }
  console.error(error.message)
  return answer(new Problem('internal', `The server is not set up. ${sentencesOf(error).join('. ')}.`))
}
