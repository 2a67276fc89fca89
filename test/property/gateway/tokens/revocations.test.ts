import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createRevocations } from '../../../../gateway/tokens/revocations.ts'
import { seal } from '../../../../schemas/avro.ts'
import { records } from '../../../../schemas/records.ts'

const users = ['alice', 'bob', '__proto__', 'constructor']
const revocation = fc.record({
  user: fc.constantFrom(...users),
  notBefore: fc.integer({ min: 0, max: 20 }),
  by: fc.constant('test'),
  at: fc.constant(0),
})

it('the greatest revocation of a user counts, in whatever order and however often they come', () => {
  fc.assert(
    fc.property(fc.array(revocation), fc.array(fc.nat()), (given, again) => {
      const folded = createRevocations()
      const repeated = again.flatMap((at) => given[at % Math.max(1, given.length)] ?? [])
      for (const one of [...given, ...repeated]) folded.apply(seal(records.Revocation, one))
      for (const user of users) {
        const greatest = Math.max(0, ...given.filter((one) => one.user === user).map((one) => one.notBefore))
        expect(folded.before(user)).toBe(greatest)
      }
    }),
  )
})

it('bytes that are no revocation change nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const folded = createRevocations()
      expect(() => folded.apply(Buffer.from(bytes))).toThrow()
      expect(folded.size()).toBe(0)
    }),
  )
})
