import { describe, expect, it } from 'vitest'
import { codec } from '../../../schemas/avro.ts'

const list = codec({
  type: 'record',
  name: 'List',
  fields: [{ name: 'ids', type: { type: 'array', items: 'string' } }],
} as const)
const longer = codec({
  type: 'record',
  name: 'List',
  fields: [
    { name: 'ids', type: { type: 'array', items: 'string' } },
    { name: 'more', type: ['null', 'string'], default: null },
  ],
} as const)

describe('an array that claims more items than there are bytes', () => {
  // Zigzag varints: 2^31 − 1 items, then nothing.
  const bomb = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f])
  const negative = Buffer.from([0xfd, 0xff, 0xff, 0xff, 0x0f, 0x02])

  it('is refused before memory is taken for it, by its own schema and by a later one', () => {
    for (const bytes of [bomb, negative]) {
      expect(() => list.decode(bytes)).toThrow()
      expect(() => longer.decodeFrom(list.canonical, bytes)).toThrow()
    }
  })

  it('and honest ones are read, in one block or several', () => {
    const value = { ids: ['a', '', 'ccc'] }
    expect(list.decode(list.encode(value))).toEqual(value)
    expect(longer.decodeFrom(list.canonical, list.encode(value))).toEqual({ ...value, more: null })
    const blocks = Buffer.from([0x02, 0x02, 0x61, 0x01, 0x04, 0x02, 0x62, 0x00])
    expect(list.decode(blocks)).toEqual({ ids: ['a', 'b'] })
  })
})
