import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createOmtpCodec } from '../../../gateway/frames/omtp/connection-codec.ts'
import { examples } from '../../../infra/omtp-tables.ts'
import { type ClientFrame, clientFrames, serverFrames } from '../../../schemas/frames.ts'
import { LENGTH_BYTES, payloadEncodings } from '../../../schemas/omtp/header.ts'
import { clientShapes } from '../../../schemas/omtp/shape.ts'
import { bytesOf, golden } from '../../golden/omtp/golden.ts'
import { serverFrameOf } from '../../support/omtp.ts'

const all = golden()

/** Nulls left out, content parsed. */
function normal(value: unknown, key = ''): unknown {
  if (key === 'content' && typeof value === 'string') return JSON.stringify(JSON.parse(value))
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map((entry) => normal(entry))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== null)
      .map(([name, entry]) => [name, normal(entry, name)]),
  )
}

/** As a gateway reads it: a request has a number of the gateway's own. */
function decoded(bytes: Buffer, written: ClientFrame): unknown {
  const got = createOmtpCodec().decode(bytes.subarray(LENGTH_BYTES))
  if (!got.ok) return got
  return 'id' in written && clientShapes.get(written.type)?.inHeader === 'id'
    ? { ...got.frame, id: written.id }
    : got.frame
}

describe.each(payloadEncodings)('golden frames in %s', (encoding) => {
  test('are still read as what they meant', () => {
    for (const { side, frame, hex } of all) {
      const bytes = Buffer.from(hex[encoding], 'hex')
      const got =
        side === 'client'
          ? decoded(bytes, frame as ClientFrame)
          : serverFrameOf(bytes.subarray(LENGTH_BYTES)).frame
      expect(normal(got), `${frame.type} ${hex[encoding]}`).toEqual(normal(frame))
    }
  })

  test('are still written to the byte', () => {
    for (const one of all)
      expect(bytesOf(one, encoding).toString('hex'), one.frame.type).toBe(one.hex[encoding])
  })
})

test('there is a golden frame of every type', () => {
  const of = (side: string) => [
    ...new Set(all.filter((one) => one.side === side).map(({ frame }) => frame.type)),
  ]
  expect(of('client').sort()).toEqual(Object.keys(clientFrames).sort())
  expect(of('server').sort()).toEqual(Object.keys(serverFrames).sort())
})

test('the bytes worked out in docs/protocol/omtp.md are frames, and those that they are said to be', () => {
  const page = readFileSync(new URL('../../../docs/protocol/omtp.md', import.meta.url), 'utf8')
  const blocks = [...page.matchAll(/^`(\w+)` in [\w ]+, (\d+) bytes:\n\n```\n([\s\S]*?)```/gm)]
  expect(blocks).toHaveLength(examples.length * payloadEncodings.length)
  for (const [, type = '', length = '', block = ''] of blocks) {
    const hex = block
      .split('\n')
      .map((line, i) => (i === 1 ? line.replace(/type|version|flag/g, '') : line.slice(0, i < 3 ? 47 : 71)))
      .map((line) => line.replace(/ {2}(Length|packId).*$/, ''))
      .join('')
      .replace(/\s/g, '')
    const bytes = Buffer.from(hex, 'hex')
    expect(bytes.length, type).toBe(Number(length))
    expect(bytes.readUInt32BE(0)).toBe(bytes.length)
    const example = examples.find((frame) => frame.type === type)
    const got =
      type === 'event'
        ? serverFrameOf(bytes.subarray(LENGTH_BYTES)).frame
        : decoded(bytes, example as ClientFrame)
    expect(normal(got), type).toEqual(normal(example))
  }
})
