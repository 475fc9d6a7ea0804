import type { Encoding } from '../../bulk/encoding.ts'
import type { ElementPath } from '../../bulk/json-elements.ts'

/** What an import reads, once its beginning has been seen. */
export interface ImportInput {
  /** UTF-8, whatever the file is written in. */
  readonly bytes: AsyncIterable<Uint8Array>
  readonly encoding: Encoding
  /** Where rows stand in a JSON text that is no line for each. */
  readonly paths: readonly ElementPath[] | undefined
}
