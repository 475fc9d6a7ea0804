import {
  convertV4MiniflareOptions,
  type DurableObjectEvictionOptions,
  Miniflare,
  type V4MiniflareOptions,
} from 'miniflare'

/** A worker in real workerd, called from here. */
export interface Workerd {
  readonly url: URL
  /** What the worker has logged so far. */
  getLogs(): readonly { readonly level: string; readonly message: string }[]
  getWorker(): {
    /** Fires a cron trigger. */
    scheduled(event: { readonly cron: string }): Promise<{ readonly outcome: string }>
    evictDurableObject(className: string, options: DurableObjectEvictionOptions): Promise<void>
  }
  /** Starts it anew, with other variables where they are given. Its databases keep what they hold. */
  restart(bindings?: Readonly<Record<string, unknown>>): Promise<void>
  close(): Promise<void>
}

/** What Miniflare is told of one worker: its code is one module. */
export interface WorkerdOptions {
  readonly name: string
  readonly code: string
  readonly bindings?: Readonly<Record<string, unknown>>
  /** Durable Objects by their binding; `d1Databases`, `hyperdrives` and `assets` as Miniflare has them. */
  readonly durableObjects?: Readonly<Record<string, { readonly className: string; readonly useSQLite: true }>>
  readonly more?: object
}

/**
 * Starts it as wrangler does, without the proxy in front of it: that is a second workerd, and
 * doubles what each request costs.
 */
export async function startWorkerd({ name, code, durableObjects, more, ...first }: WorkerdOptions): Promise<Workerd> {
  const logs: { level: string; message: string }[] = []
  const optionsOf = (bindings: object = {}) =>
    convertV4MiniflareOptions({
      ...{ name, host: '127.0.0.1', modules: [{ type: 'ESModule', path: 'worker.js', contents: code }] },
      ...{ compatibilityDate: '2026-10-23', compatibilityFlags: ['nodejs_compat'], unsafeTriggerHandlers: true },
      ...{ bindings, ...(durableObjects && { durableObjects }), ...more },
      handleStructuredLogs: ({ level, message }) => void logs.push({ level, message }),
    } as V4MiniflareOptions)
  const worker = new Miniflare(optionsOf(first.bindings))
  let url = await worker.ready
  return {
    get url() {
      return url
    },
    getLogs: () => [...logs],
    getWorker: () => ({
      async scheduled({ cron }) {
        const path = `/cdn-cgi/local/scheduled?format=json&cron=${encodeURIComponent(cron)}`
        return (await (await fetch(new URL(path, url))).json()) as { outcome: string }
      },
      evictDurableObject: (className, options) => worker.unsafeEvictDurableObject(name, className, options),
    }),
    async restart(bindings = first.bindings) {
      await worker.setOptions(optionsOf(bindings))
      url = await worker.ready
    },
    close: () => worker.dispose(),
  }
}
