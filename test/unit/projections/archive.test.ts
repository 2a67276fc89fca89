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
  test('given an answer to one who asked to join, then he is a member only if he was accepted', () => {
    const answer = (accept: boolean) =>
      accepted({ stream: 'g:1', seq: 3 }, 'JoinAnswered', { user: 'cid', accept })
    expect(rowsIn(answer(true), 'membership')).toMatchObject([{ user: 'cid', seq: 3, joined: true }])
    expect(rowsIn(answer(false), 'membership')).toEqual([])
  })
  test('given someone who observes, then a row apart from the members', () => {
    for (const on of [true, false]) {
      const record = accepted({ stream: 'g:1', seq: 3, sender: 'eve' }, 'Observing', { on })
      expect(rowsIn(record, 'observing')).toMatchObject([{ user: 'eve', seq: 3, is_on: on }])
      expect(rowsIn(record, 'membership')).toEqual([])
    }
  })
  test('given a reaction, then its state under its message, emoji and user', () => {
    const record = accepted({ seq: 7, sender: 'bob' }, 'Reacted', {
      target: target(4),
      emoji: '👍',
      on: false,
    })
    expect(rowsIn(record, 'reactions')).toMatchObject([
      { target_seq: 4, emoji: '👍', user: 'bob', seq: 7, is_on: false },
    ])
    expect(rowsIn(record, 'items')).toMatchObject([
      { kind: 'reacted', target_seq: 4, value: '👍', is_on: false },
    ])
  })
  test('given the first event of a single chat, then it is found by either side', () => {
    const users = (stream: string, seq: number) =>
      rowsIn(accepted({ stream, seq }, 'MessageSent'), 'single_chats').map(({ user }) => user)
    expect(users('p2p:ann:bob', 1)).toEqual(['ann', 'bob'])
    expect(users('p2p:ann:ann', 1)).toEqual(['ann'])
    expect(users('p2p:ann:bob', 2)).toEqual([])
    expect(users('g:1', 1)).toEqual([])
  })
  test('given what is set for a while or under a key, then an item that says all of it', () => {
    const muted = accepted({ stream: 'g:1', seq: 5 }, 'MemberMuted', { user: 'cid', until: 9_000 })
    expect(rowsIn(muted, 'items')).toMatchObject([{ members: ['cid'], until_ms: 9_000 }])
    const setting = accepted({ stream: 'u:ann', seq: 5 }, 'SettingSet', { key: 'draft:g:1', value: 'so' })
    expect(rowsIn(setting, 'items')).toMatchObject([{ setting_key: 'draft:g:1', value: 'so' }])
  })
  test('inserts membership before what it guards, and events, which are the position, last', () => {
    expect([archiveTables[0], archiveTables.at(-1)]).toEqual(['membership', 'events'])
  })
})
