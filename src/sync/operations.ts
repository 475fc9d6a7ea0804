import type { Principal } from '../model/principal.ts'
import type { Facts } from '../observe/facts.ts'
import type { ImportAnswer, PullAnswer, PushAnswer, ReceiveAnswer } from '../wire/answer.ts'
import type { ImportRequest, PullRequest, PushRequest, ReceiveRequest } from '../wire/request.ts'

/** The four operations. Each throws a `Problem`, or a `StoreFault` of the store. */
export interface Operations {
  /** A push, or a sync, which asks for a page as well. Its changes are not decoded yet. */
  push(principal: Principal, request: PushRequest, more?: Received): Promise<PushAnswer>
  pull(principal: Principal, request: PullRequest, more?: Received): Promise<PullAnswer>
  /** A webhook, which takes effect once. Whoever signs it is trusted, and speaks for many. */
  receive(request: ReceiveRequest, more?: Received): Promise<ReceiveAnswer>
  /** A part of an import by a subject, which may say for each change where it goes. */
  importChunk(subject: string, request: ImportRequest, more?: Received): Promise<ImportAnswer>
}

/** How a request came. */
export interface Received {
  /** Filled while it runs. */
  readonly facts?: Facts
  /** The bytes of its body. None is known: any change may be too large. */
  readonly bytes?: number
}
