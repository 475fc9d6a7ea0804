import type { Facts } from '../observe/facts.ts'

/** What driftline keeps beside a request, for its answer's headers and its log line. */
export interface Env {
  Variables: { requestId: string; facts: Facts }
}
