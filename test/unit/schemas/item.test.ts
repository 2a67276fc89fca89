import { expect, test } from 'vitest'
import { hiddenItem, itemFor, itemOf } from '../../../schemas/item.ts'
import { accepted } from '../../support/projections/accepted.ts'

test('the note of who asks to join goes with no item: owner and admins read it with the group', () => {
  const { envelope, payload } = accepted({ stream: 'g:1', seq: 7, sender: 'eve' }, 'JoinRequested', {
    note: 'my reasons',
  })
  expect(payload && itemOf(envelope, payload)).toMatchObject({
    kind: 'joinRequested',
    senderId: 'eve',
    value: null,
  })
})

test('one that was kept with its note is given without', () => {
  const kept = {
    ...hiddenItem('g:1', 7),
    kind: 'joinRequested' as const,
    senderId: 'eve',
    value: 'my reasons',
  }
  for (const user of ['eve', 'ann']) expect(itemFor(kept, user)).toEqual({ ...kept, value: null })
})
