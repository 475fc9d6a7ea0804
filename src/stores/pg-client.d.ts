/**
 * What a worker takes of pg, which has no types: the connection with the messages of the protocol,
 * and how a password is proved.
 */
declare module 'pg/lib/connection.js' {
  import type { EventEmitter } from 'node:events'
  import type { ClientConfig } from 'pg'

  export default class Connection extends EventEmitter {
    constructor(config: { ssl: ClientConfig['ssl']; sslNegotiation: string | undefined })
    connect(port: number, host: string): void
    requestSsl(): void
    startup(config: Readonly<Record<string, string>>): void
    password(password: string | undefined): void
    sendSASLInitialResponseMessage(mechanism: string, response: string): void
    sendSCRAMClientFinalMessage(response: string): void
    end(): void
  }
}

declare module 'pg/lib/crypto/sasl.js' {
  export interface SaslSession {
    readonly mechanism: string
    readonly response: string
  }
  /** `stream` is one with a certificate to bind to, or false. */
  export function startSession(mechanisms: readonly string[], stream: false): SaslSession
  export function continueSession(
    session: SaslSession,
    password: string | undefined,
    data: string,
    stream: false,
  ): Promise<void>
  export function finalizeSession(session: SaslSession, data: string): void
}

declare module 'pg/lib/crypto/utils.js' {
  export function postgresMd5PasswordHash(user: string, password: string | undefined, salt: Uint8Array): Promise<string>
}
