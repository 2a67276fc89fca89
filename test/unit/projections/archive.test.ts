import { describe, expect, test } from 'vitest'
import { type ArchiveTable, archive, archiveTables } from '../../../projections/archive/project.ts'
import { accepted, target, undecodable } from '../../support/projections/accepted.ts'

type Row = Record<string, unknown>
const rowsIn = (record: Parameters<typeof archive.project>[0], table: ArchiveTable): Row[] =>
  archive.project(record).flatMap((write) => (write.table === table ? [write.row as Row] : []))

describe('the archive', () => {
  test('given any accepted record, then one row of events with the payload as it was', () => {
    for (const record of [accepted({}, 'MessageSent'), accepted({ offset: 3 }, 'Rejection')]) {
      const [row, ...more] = rowsIn(record, 'events')
      expect(more).toEqual([])
      expect(Buffer.from(String(row?.payload_base64), 'base64').equals(record.envelope.payload)).toBe(true)
      expect(row).toMatchObject({ kind: record.envelope.kind, type: record.payload?.type, sender: 'ann' })
    }
  })
  test('given a rejection, then its code, and no item', () => {
    expect(rowsIn(accepted({}, 'Rejection'), 'events')).toMatchObject([{ code: 'not_member', seq: 0 }])
    expect(rowsIn(accepted({}, 'Rejection'), 'items')).toEqual([])
  })
  test('given a message, then an item and a first version', () => {
    const record = accepted({ seq: 4 }, 'MessageSent', { replyTo: 2 })
    expect(rowsIn(record, 'items')).toMatchObject([
      { seq: 4, kind: 'message', reply_to: 2, content: '{"text":"hi"}' },
    ])
    expect(rowsIn(record, 'messages')).toMatchObject([{ seq: 4, version: 4, recalled: false }])
  })
  test('given an edit, then a later version in the place of its message', () => {
    const record = accepted({ seq: 6, ordinal: 5, sender: 'ann' }, 'MessageEdited', { target: target(4) })
    expect(rowsIn(record, 'messages')).toMatchObject([{ seq: 4, ordinal: 4, version: 6, recalled: false }])
    expect(rowsIn(record, 'changes')).toMatchObject([{ seq: 6, target_seq: 4, kind: 'edited' }])
  })
  test('given a recall by another, then a version without content that keeps its author', () => {
    const record = accepted({ seq: 6, sender: 'boss' }, 'MessageRecalled', { target: target(4, 'ann') })
    expect(rowsIn(record, 'messages')).toMatchObject([
      { seq: 4, version: 6, recalled: true, content: null, sender: 'ann' },
    ])
  })
  test('given roster changes, then a row for each member', () => {
    const record = accepted({ stream: 'g:1', seq: 3 }, 'MembersAdded', { members: ['bob', 'cid'] })
    expect(rowsIn(record, 'membership')).toMatchObject([
      { user: 'bob', seq: 3, joined: true },
      { user: 'cid', seq: 3, joined: true },
    ])
  })
  test('given an event that cannot be decoded, then its bytes and a hidden item', () => {
    const record = undecodable(accepted({ seq: 4 }, 'MessageSent'))
    expect(rowsIn(record, 'events')).toMatchObject([{ type: 'undecodable', sender: '' }])
    expect(rowsIn(record, 'items')).toMatchObject([{ seq: 4, kind: 'hidden' }])
  })
  test('inserts membership before what it guards, and events, which are the position, last', () => {
    expect([archiveTables[0], archiveTables.at(-1)]).toEqual(['membership', 'events'])
  })
})
