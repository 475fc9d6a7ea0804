import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { encoderOf } from '../../../src/bulk/encode.ts'
import { openRejected, type RejectedSizes, toRejectedLine } from '../../../src/bulk/rejected.ts'
import { rejection } from '../../../src/model/errors.ts'
import { temporaryFolder } from '../../support/temporary.ts'

let path: string
let rowsPath: string
let drop: () => Promise<void>
beforeEach(async () => {
  const { folder, drop: dropFolder } = await temporaryFolder()
  ;[path, rowsPath, drop] = [join(folder, 'a.rejected.ndjson'), join(folder, 'a.rejected.csv'), dropFolder]
})
afterEach(() => drop())
const line = (n: number) => toRejectedLine(n, rejection('invalid_change', 'é'), `line ${n} é`)
const nothing: RejectedSizes = { rejectedBytes: 0, rejectedRowsBytes: 0 }
const open = (sizes: RejectedSizes, name = 'utf-8', mark = 0) =>
  openRejected(path, sizes, {
    ...{ path: rowsPath, encoder: encoderOf({ name, mark }) },
    head: () => 'id,title',
    newline: () => '\r\n',
  })
const lines = async () =>
  (await readFile(path, 'utf8')).split('\n').map((text) => (text === '' ? '' : JSON.parse(text).line))

it('P12 an import that goes on drops the rejected lines that come again, from both files', async () => {
  const first = await open(nothing)
  await first.append([line(1), line(2)])
  const { sizes } = first
  await first.append([line(3), line(4)])
  const second = await open(sizes)
  await second.append([line(3)])
  expect(await lines()).toEqual([1, 2, 3, ''])
  expect(await readFile(rowsPath, 'utf8')).toBe('id,title\r\nline 1 é\r\nline 2 é\r\nline 3 é\r\n')
  for (const gone of [{ rejectedBytes: 10_000 }, { rejectedRowsBytes: 10_000 }]) {
    await expect(open({ ...sizes, ...gone })).rejects.toThrow(
      /is no longer as the import left it\. Begin anew with --anew\.$/,
    )
  }
  const anew = await open(nothing)
  await anew.append([line(9)])
  expect(await lines()).toEqual([9, ''])
  expect(await readFile(rowsPath, 'utf8')).toBe('id,title\r\nline 9 é\r\n')
})

it('P12 an import that is killed between its two files leaves none that the next would take for a stranger’s', async () => {
  const files = await open(nothing)
  await mkdir(path)
  await expect(files.append([line(1)])).rejects.toThrow(/EISDIR/)
  expect(existsSync(rowsPath)).toBe(false)
  await rmdir(path)
  await (await open(nothing)).append([line(1)])
  await rm(rowsPath)
  await (await open(nothing)).append([line(2)])
  expect(await lines()).toEqual([2, ''])
})

it('leaves a file alone that is none of its own', async () => {
  await writeFile(path, 'precious\n')
  await expect(open(nothing)).rejects.toThrow(/holds no rejected lines\. Name another file: --rejected …$/)
  expect(await readFile(path, 'utf8')).toBe('precious\n')
  await writeFile(path, '')
  await open(nothing)
  await writeFile(rowsPath, 'precious\n')
  await expect(open(nothing)).rejects.toThrow(/a\.rejected\.csv is there already, and holds no rejected lines\./)
  expect(await readFile(rowsPath, 'utf8')).toBe('precious\n')
})

it.each([
  ['utf-8', 0, 'é€'],
  ['utf-8', 3, 'é€'],
  ['utf-16le', 2, 'é€🏔'],
  ['utf-16be', 2, 'é€🏔'],
  ['utf-16le', 0, 'é€'],
  ['windows-1252', 0, 'é€\u0081'],
  ['iso-8859-2', 0, 'řž'],
  ['macintosh', 0, 'é√'],
  ['ibm866', 0, 'Привет'],
])('writes rejected rows in the bytes of their file: %s, mark of %i bytes', async (name, mark, text) => {
  const files = await open(nothing, name, mark)
  await files.append([toRejectedLine(2, rejection('invalid_id', 'no'), text)])
  const bytes = await readFile(rowsPath)
  expect(new TextDecoder(name, { fatal: true, ignoreBOM: true }).decode(bytes)).toBe(
    `${mark > 0 ? '\ufeff' : ''}id,title\r\n${text}\r\n`,
  )
})

it('writes rejected rows as UTF-8 with its mark where a character has more than one form', async () => {
  const files = await open(nothing, 'shift_jis')
  await files.append([toRejectedLine(2, rejection('invalid_id', 'no'), '日本')])
  expect(await readFile(rowsPath, 'utf8')).toBe('\ufeffid,title\r\n日本\r\n')
})

it('writes no rows where none of them has a text', async () => {
  const files = await open(nothing)
  await files.append([toRejectedLine(2, rejection('too_large', 'no'), undefined)])
  expect([files.sizes.rejectedRowsBytes, await lines()]).toEqual([0, [2, '']])
})
