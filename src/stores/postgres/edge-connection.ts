import Connection from 'pg/lib/connection.js'
import { continueSession, finalizeSession, type SaslSession, startSession } from 'pg/lib/crypto/sasl.js'
import { postgresMd5PasswordHash } from 'pg/lib/crypto/utils.js'
import type { Submits } from './pipeline.ts'
import type { PostgresAddress } from './url.ts'

/** A connection that is there for one batch. */
export interface EdgeConnection extends Submits {
  /**
   * Not waited for. What was not committed is rolled back by the server when the connection goes.
   */
  end(): void
}

/**
 * Connects and logs in, with pg's own connection and messages. Its client is not used: that brings
 * what is never called here, such as a queue of queries, types of columns and files of passwords,
 * which would be a tenth of a worker.
 */
export async function openConnection(address: PostgresAddress['client'], msMax: number): Promise<EdgeConnection> {
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, USER } = process.env
  const { ssl = false, application_name, options } = address
  const { sslnegotiation } = address as { readonly sslnegotiation?: string }
  const user = address.user ?? PGUSER ?? USER ?? 'postgres'
  const password = address.password ?? PGPASSWORD
  const database = address.database ?? PGDATABASE ?? user
  const connection = new Connection({ ssl, sslNegotiation: sslnegotiation })
  let [active, isReady]: [Parameters<Submits['query']>[0] | undefined, boolean] = [undefined, false]
  let session: SaslSession

  const opened = Promise.withResolvers<void>()
  // A cut connection fails its batch, and nothing else: whoever waits is told once.
  const fail = (error: unknown) => {
    if (!isReady) return opened.reject(error)
    const failed = active
    active = undefined
    failed?.handleError(error, connection)
  }
  const end = () => {
    try {
      connection.end()
    } catch {
      // There was nothing to close.
    }
  }
  const startUp = () =>
    connection.startup({
      ...{ user, database },
      ...(application_name && { application_name }),
      ...(options && { options }),
    })
  /** What goes wrong while logging in is an event, too: nobody waits for these. */
  const answering =
    <Message>(answer: (message: Message) => Promise<void> | void) =>
    (message: Message) => {
      void (async () => answer(message))().catch(fail)
    }

  const timer = setTimeout(() => {
    fail(new Error('timeout expired'))
    end()
  }, msMax)
  connection
    .on('connect', () => {
      if (!ssl) startUp()
      else if (sslnegotiation !== 'direct') connection.requestSsl()
    })
    .on('sslconnect', startUp)
    .on('error', fail)
    .on('errorMessage', fail)
    .on('end', () => fail(new Error('Connection terminated unexpectedly')))
    .on(
      'authenticationCleartextPassword',
      answering(() => connection.password(password)),
    )
    .on(
      'authenticationMD5Password',
      answering(async ({ salt }: { salt: Uint8Array }) =>
        connection.password(await postgresMd5PasswordHash(user, password, salt)),
      ),
    )
    .on(
      'authenticationSASL',
      answering(({ mechanisms }: { mechanisms: readonly string[] }) => {
        // A worker sees no certificate that a password could be bound to.
        session = startSession(mechanisms, false)
        connection.sendSASLInitialResponseMessage(session.mechanism, session.response)
      }),
    )
    .on(
      'authenticationSASLContinue',
      answering(async ({ data }: { data: string }) => {
        await continueSession(session, password, data, false)
        connection.sendSCRAMClientFinalMessage(session.response)
      }),
    )
    .on(
      'authenticationSASLFinal',
      answering(({ data }: { data: string }) => finalizeSession(session, data)),
    )
    .on('dataRow', (row) => active?.handleDataRow(row))
    .on('commandComplete', () => active?.handleCommandComplete())
    .on('emptyQuery', () => active?.handleEmptyQuery())
    .on('readyForQuery', () => {
      const done = active
      active = undefined
      isReady = true
      opened.resolve()
      done?.handleReadyForQuery(connection)
    })
  connection.connect(address.port ?? Number(PGPORT ?? 5432), address.host ?? PGHOST ?? 'localhost')

  try {
    await opened.promise
  } catch (error) {
    end()
    throw error
  } finally {
    clearTimeout(timer)
  }
  return {
    query(pipeline) {
      active = pipeline
      pipeline.submit(connection)
    },
    end,
  }
}
