import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openRejected, toRejectedLine } from '../../src/bulk/rejected.ts'
import { rejection } from '../../src/errors.ts'
import { temporaryFolder } from '../support/temporary.ts'

let path: string
let drop: () => Promise<void>
beforeEach(async () => {
  const { folder, drop: dropFolder } = await temporaryFolder()
  ;[path, drop] = [join(folder, 'a.rejected.ndjson'), dropFolder]
})
afterEach(() => drop())
const line = (n: number) => toRejectedLine(n, rejection('invalid_change', 'é'), `line ${n} ü`)
const lines = async () =>
  (await readFile(path, 'utf8')).split('\n').map((text) => (text === '' ? '' : JSON.parse(text).line))

it('P12 an import that goes on drops the rejected lines that come again', async () => {
  const first = await openRejected(path, 0)
  await first.append([line(1), line(2)])
  const size = first.size
  await first.append([line(3), line(4)])
  const second = await openRejected(path, size)
  await second.append([line(3)])
  expect(await lines()).toEqual([1, 2, 3, ''])
  await expect(openRejected(path, 10_000)).rejects.toThrow(
    /is no longer as the import left it\. Begin anew with --anew\.$/,
  )
  const anew = await openRejected(path, 0)
  await anew.append([line(9)])
  expect(await lines()).toEqual([9, ''])
})

it('leaves a file alone that is none of its own', async () => {
  await writeFile(path, 'precious\n')
  await expect(openRejected(path, 0)).rejects.toThrow(/holds no rejected lines\. Name another file: --rejected …$/)
  expect(await readFile(path, 'utf8')).toBe('precious\n')
})

it('writes a record of CSV as it can be read again', () => {
  const fields = ['a', 'b;"c"', 'd\ne']
  expect(toRejectedLine(5, rejection('invalid_id', 'no'), fields, ';')).toEqual({
    ...{ line: 5, error: { code: 'invalid_id', detail: 'no' } },
    text: 'a;"b;""c""";"d\ne"',
  })
})
