/**
 * pg's client without its pool and the bindings of libpq, which a worker would carry for nothing.
 */
declare module 'pg/lib/client.js' {
  import { Client } from 'pg'

  export default Client
}
