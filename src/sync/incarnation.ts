/** A name of a scope's history that no other has. */
export const randomIncarnation = (): string => crypto.randomUUID().replaceAll('-', '').slice(0, 16)
