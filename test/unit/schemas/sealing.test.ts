import { expect, test } from 'vitest'
import { codec, open, seal } from '../../../schemas/avro.ts'

const text = codec({ type: 'record', name: 'Text', fields: [{ name: 'text', type: 'string' }] } as const)

test('a value of any size is read back as it was, and what was sealed before keeps its bytes', () => {
  const sizes = [0, 1, 100, 4_095, 65_515, 65_524, 65_525, 65_526, 65_536, 65_537, 900_000]
  const sealed = sizes.map((size) => seal(text, { text: 'ä'.repeat(size / 2) + 'x'.repeat(size % 2) }))
  sizes.forEach((size, i) => {
    const bytes = sealed[i] as Buffer
    expect(Buffer.byteLength(open(text, bytes, new Map()).text)).toBe(size)
    expect(bytes.subarray(10)).toEqual(text.encode(open(text, bytes, new Map())))
  })
})

test('a value outside the schema is refused and leaves no trace in the next one', () => {
  expect(() => seal(text, { text: 5 } as never)).toThrow()
  expect(open(text, seal(text, { text: 'next' }), new Map())).toEqual({ text: 'next' })
})
