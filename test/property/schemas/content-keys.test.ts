import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeTree,
  encodeTree,
  messagePath,
  monthPath,
  openContent,
  sealContent,
  seedAt,
  unwrap,
  wholeTree,
  without,
  wrap,
} from '../../../schemas/content-keys.ts'

const seed = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes))
const digit = fc.constantFrom(...'0123456789abcdef')
/** Few digits, so that paths are often related. */
const near = fc.constantFrom('0', '1', 'f')
const path = fc.array(near, { minLength: 11, maxLength: 11 }).map((digits) => digits.join(''))
const cut = fc.array(near, { minLength: 0, maxLength: 11 }).map((digits) => digits.join(''))

describe('the tree of keys', () => {
  test('gives each leaf as long as nothing above it was cut out, and never again after that', () => {
    fc.assert(
      fc.property(
        seed,
        fc.array(cut, { maxLength: 6 }),
        fc.array(path, { minLength: 1 }),
        (root, cuts, paths) => {
          const whole = wholeTree(root)
          const left = cuts.reduce(without, whole)
          for (const at of paths) {
            const gone = cuts.some((one) => at.startsWith(one))
            expect(seedAt(left, at)).toEqual(gone ? null : seedAt(whole, at))
          }
        },
      ),
    )
  })

  test('holds no seed from which one that was cut out follows', () => {
    fc.assert(
      fc.property(seed, fc.array(path, { minLength: 1, maxLength: 5 }), (root, cuts) => {
        const left = cuts.reduce(without, wholeTree(root))
        for (const at of left.keys()) expect(cuts.filter((one) => one.startsWith(at))).toEqual([])
      }),
    )
  })

  test('is the same whatever the order of the cuts, and after being written and read', () => {
    fc.assert(
      fc.property(seed, fc.array(cut, { maxLength: 5 }), (root, cuts) => {
        const left = cuts.reduce(without, wholeTree(root))
        expect(new Map([...cuts].reverse().reduce(without, wholeTree(root)))).toEqual(new Map(left))
        expect(decodeTree(encodeTree(left))).toEqual(left)
      }),
    )
  })

  test('gives different leaves to different paths', () => {
    fc.assert(
      fc.property(
        seed,
        fc.uniqueArray(fc.array(digit, { minLength: 11, maxLength: 11 }).map((d) => d.join(''))),
        (root, paths) => {
          const leaves = paths.map((at) => seedAt(wholeTree(root), at)?.toString('hex'))
          expect(new Set(leaves).size).toBe(paths.length)
        },
      ),
    )
  })

  test('refuses bytes that are none', () => {
    const bytes = encodeTree(wholeTree(Buffer.alloc(16, 7)))
    for (const broken of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.from([40])])])
      expect(() => decodeTree(broken)).toThrow(RangeError)
  })
})

describe('paths', () => {
  test('begin with the month, UTC', () => {
    expect(monthPath(Date.UTC(1970, 0, 31, 23, 59))).toBe('000')
    expect(monthPath(Date.UTC(2017, 6, 15))).toBe((47 * 12 + 6).toString(16))
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (time) => {
        const packId = Buffer.alloc(16)
        packId.writeUIntBE(time, 0, 6)
        const at = messagePath(packId)
        expect(at.slice(0, 3)).toBe(monthPath(time))
        expect(at).toMatch(/^[0-9a-f]{11}$/)
      }),
    )
  })
})

describe('a sealed content', () => {
  const content = fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes))

  test('opens under its leaf to what it was, and is the same each time', () => {
    fc.assert(
      fc.property(seed, content, (leaf, said) => {
        const sealed = sealContent(leaf, said)
        expect(openContent(leaf, sealed)).toEqual(said)
        expect(sealContent(leaf, said)).toEqual(sealed)
        expect(sealed.length).toBe(said.length + 28)
      }),
    )
  })

  test('opens neither under another leaf nor after a byte was changed', () => {
    fc.assert(
      fc.property(seed, seed, content, fc.nat(), (leaf, other, said, at) => {
        fc.pre(!leaf.equals(other))
        const sealed = sealContent(leaf, said)
        expect(openContent(other, sealed)).toBeNull()
        const i = at % sealed.length
        sealed[i] = (sealed[i] as number) ^ 1
        expect(openContent(leaf, sealed)).toBeNull()
        expect(openContent(leaf, sealed.subarray(0, 20))).toBeNull()
      }),
    )
  })
})

test('a wrapped tree opens under its secret for its id alone', () => {
  const [secret, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const tree = without(wholeTree(Buffer.alloc(16, 3)), '2a6')
  const wrapped = wrap(secret, 'ann~1', tree)
  expect(unwrap(secret, 'ann~1', wrapped)).toEqual(tree)
  expect(unwrap(secret, 'bob~1', wrapped)).toBeNull()
  expect(unwrap(other, 'ann~1', wrapped)).toBeNull()
})
