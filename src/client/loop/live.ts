/** What `WebSocket` is used for. */
export type OpenSocket = typeof WebSocket

export interface LiveOptions {
  readonly url: string
  readonly WebSocket: OpenSocket
  /** The token, and after it was refused a fresh one. */
  readonly token: (refused: boolean) => Promise<string | null>
  /** Something of the user's scopes has moved on, or may have. */
  readonly onPoke: () => void
  readonly onLive: (live: boolean) => void
}

const again = { least: 1_000, most: 60_000 }
const expired = 4401

/** One socket that tells when a round is worth while. What it tells may be lost. */
export function createLive({ url, WebSocket: Socket, token, onPoke, onLive }: LiveOptions) {
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let attempts = 0
  let isOpen = false

  async function connect(refused: boolean): Promise<void> {
    if (!isOpen || socket) return
    let bearer: string | null
    try {
      bearer = await token(refused)
    } catch {
      bearer = null
    }
    if (!isOpen || socket) return
    if (bearer === null) return later()
    let one: WebSocket
    try {
      one = new Socket(`${url.replace(/^http/, 'ws').replace(/\/+$/, '')}/v1/live`, ['driftline', `bearer.${bearer}`])
    } catch {
      return later()
    }
    socket = one
    one.onopen = () => {
      attempts = 0
      onLive(true)
      onPoke()
    }
    one.onmessage = onPoke
    one.onclose = ({ code }) => {
      if (socket !== one) return
      socket = undefined
      onLive(false)
      if (code === expired && attempts === 0) {
        attempts = 1
        void connect(true)
      } else later()
    }
    one.onerror = () => {}
  }

  function later(): void {
    clearTimeout(timer)
    const most = Math.min(again.most, again.least * 2 ** attempts++)
    timer = setTimeout(() => void connect(false), again.least + Math.random() * most)
  }

  return {
    open(): void {
      if (isOpen) return
      isOpen = true
      void connect(false)
    },
    close(): void {
      isOpen = false
      clearTimeout(timer)
      const one = socket
      socket = undefined
      if (one) {
        one.onclose = null
        one.close()
        onLive(false)
      }
    },
  }
}
