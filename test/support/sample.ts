import { principal } from '../../src/testing/sample.ts'

export {
  del,
  noon,
  patch,
  principal,
  put,
  type Sample,
  type SampleChange,
  sampleSync,
} from '../../src/testing/sample.ts'

export const alice = principal('alice')
