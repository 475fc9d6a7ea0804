/** What the outbox, a change and a transaction hold at the most. */
export const outboxMax = { changes: 10_000, bytes: 32 * 1024 * 1024 } as const
export const transactionMax = { changes: 5_000, bytes: 4 * 1024 * 1024 } as const
export const changeBytesMax = 1024 * 1024
export const noticesMax = 1_000

export const utf8Bytes = (text: string): number => encoder.encode(text).length
const encoder = new TextEncoder()
