import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'

/** The streams that are under way in this process, counted by subject. */
export interface Streams {
  /** How long one may stand still before it is ended, in milliseconds. */
  readonly idleMsMax: number
  /** Takes a place for one more. Throws the `Problem` too_many_streams. */
  open(subject: string): StreamPlace
}

export interface StreamPlace {
  /** Somebody reads. */
  moved(): void
  /** Gives the place back, however often it is called. */
  leave(): void
}

export interface StreamsOptions {
  /** Streams of one subject. */
  readonly streamsMax?: number | undefined
  readonly streamIdleMsMax?: number | undefined
}

/**
 * A place is given back by the stream's end, whichever it is. A runtime that drops a stream without
 * a word, as workerd does where the client goes away, leaves a place that is taken for free once
 * nobody has moved it for twice the time.
 */
export function createStreams({
  streamsMax = limits.streamsMax,
  streamIdleMsMax: idleMsMax = limits.streamIdleMsMax,
}: StreamsOptions = {}): Streams {
  const movedAtBySubject = new Map<string, Map<StreamPlace, number>>()

  function leave(subject: string, place: StreamPlace): void {
    const places = movedAtBySubject.get(subject)
    if (places?.delete(place) && places.size === 0) movedAtBySubject.delete(subject)
  }
  function dropForgotten(subject: string): void {
    const since = Date.now() - 2 * idleMsMax
    for (const [place, movedAt] of movedAtBySubject.get(subject) ?? []) if (movedAt < since) leave(subject, place)
  }

  return {
    idleMsMax,
    open(subject) {
      if ((movedAtBySubject.get(subject)?.size ?? 0) >= streamsMax) dropForgotten(subject)
      const places = movedAtBySubject.get(subject) ?? new Map<StreamPlace, number>()
      if (places.size >= streamsMax) throw tooManyStreams(streamsMax, idleMsMax)
      const place: StreamPlace = {
        moved: () => void (places.has(place) && places.set(place, Date.now())),
        leave: () => leave(subject, place),
      }
      movedAtBySubject.set(subject, places.set(place, Date.now()))
      return place
    },
  }
}

function tooManyStreams(streamsMax: number, idleMsMax: number): Problem {
  return new Problem(
    'too_many_streams',
    `A principal may have ${streamsMax} streams under way. Read them to their end, or close some.`,
    // By then one that nobody reads has been ended.
    { headers: { 'Retry-After': String(Math.ceil(idleMsMax / 1000)) } },
  )
}
