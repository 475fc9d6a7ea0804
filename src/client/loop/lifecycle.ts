import type { Lifecycle } from '../types.ts'

/** What a page tells of itself. Elsewhere nothing is told. */
export function lifecycleOfPage(): Lifecycle {
  const isPage = typeof document !== 'undefined' && typeof addEventListener === 'function'
  if (!isPage) return { onForeground: () => () => {}, onOnline: () => () => {} }
  return {
    onForeground(go) {
      const shown = () => document.visibilityState === 'visible' && go()
      document.addEventListener('visibilitychange', shown)
      return () => document.removeEventListener('visibilitychange', shown)
    },
    onOnline(go) {
      const [on, off] = [() => go(true), () => go(false)]
      addEventListener('online', on)
      addEventListener('offline', off)
      return () => {
        removeEventListener('online', on)
        removeEventListener('offline', off)
      }
    },
  }
}
