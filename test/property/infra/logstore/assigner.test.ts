import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignPartitions, type GroupMember } from '../../../../infra/logstore/assigner.ts'

const member = fc.record({
  memberId: fc.string({ minLength: 1, maxLength: 6 }),
  claims: fc.array(fc.integer({ min: -2, max: 70 }), { maxLength: 40 }),
  current: fc.boolean(),
})
const members = fc.uniqueArray(member, { minLength: 1, maxLength: 9, selector: ({ memberId }) => memberId })
const partitionCount = fc.integer({ min: 0, max: 64 })

test('every partition goes to exactly one member, and members differ by at most one', () => {
  fc.assert(
    fc.property(members, partitionCount, (group, count) => {
      const assignment = assignPartitions(group, count)
      expect([...assignment.keys()].sort()).toEqual(group.map(({ memberId }) => memberId).sort())
      const all = [...assignment.values()].flat().sort((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: count }, (_, index) => index))
      const sizes = [...assignment.values()].map(({ length }) => length)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
    }),
  )
})

test('the answer does not depend on the order of the members', () => {
  fc.assert(
    fc.property(members, partitionCount, fc.infiniteStream(fc.nat()), (group, count, random) => {
      const shuffled = group
        .map((one) => ({ one, at: random.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ one }) => one)
      expect(sorted(assignPartitions(shuffled, count))).toEqual(sorted(assignPartitions(group, count)))
    }),
  )
})

test('when members come and go, no more partitions move than balance demands', () => {
  const change = fc.record({
    leave: fc.array(fc.nat(), { maxLength: 4 }),
    join: fc.integer({ min: 0, max: 4 }),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(change, { maxLength: 8 }), (count, changes) => {
      let nextId = 0
      let held = new Map<string, readonly number[]>([[`m${nextId++}`, []]])
      for (const { leave, join } of [{ leave: [], join: 0 }, ...changes]) {
        const ids = [...held.keys()]
        for (const index of leave) held.delete(ids[index % ids.length] ?? '')
        for (let i = 0; i < join || held.size === 0; i += 1) held.set(`m${nextId++}`, [])
        const group: GroupMember[] = [...held].map(([memberId, claims]) => ({
          memberId,
          claims,
          current: true,
        }))
        const assignment = assignPartitions(group, count)
        const kept = group.map(({ memberId, claims }) => {
          const now = assignment.get(memberId) ?? []
          return claims.filter((partition) => now.includes(partition)).length
        })
        expect(sum(kept)).toBe(keepableMax(group, count))
        held = assignment
      }
    }),
  )
})

test('a claim from an earlier membership never takes a partition from who holds it now', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 64 }), (count) => {
      const half = Math.floor(count / 2)
      const all = Array.from({ length: count }, (_, index) => index)
      const assignment = assignPartitions(
        [
          { memberId: 'a-woken-zombie', claims: all, current: false },
          { memberId: 'b-owner', claims: all, current: true },
        ],
        count,
      )
      expect(assignment.get('b-owner')).toEqual(all.slice(0, count - half))
    }),
  )
})

/** The best any balanced assignment can do: `extra` members keep one more than the rest. */
function keepableMax(group: readonly GroupMember[], count: number): number {
  const even = Math.floor(count / group.length)
  const extra = count % group.length
  const held = group.map(({ claims }) => claims.length).sort((a, b) => b - a)
  return sum(held.map((size, index) => Math.min(size, index < extra ? even + 1 : even)))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

function sorted(assignment: ReadonlyMap<string, readonly number[]>) {
  return [...assignment].sort(([a], [b]) => (a < b ? -1 : 1))
}
