import { describe, expect, test } from 'vitest'
import { directory } from '../../../projections/directory/project.ts'
import { inbox } from '../../../projections/inbox/project.ts'
import { accepted, target } from '../../support/projections/accepted.ts'

const conversationId = 'p2p:ann:bob'

describe('the inbox', () => {
  test('given a message, then one write, for the sender alone', () => {
    expect(inbox.project(accepted({ seq: 5, ordinal: 4 }, 'MessageSent'))).toEqual([
      { kind: 'own', user: 'ann', conversationId, ordinal: 4 },
    ])
  })
  test('given a message in a live room, then nothing: it is unread for nobody', () => {
    const record = accepted({ stream: 'r:hall', seq: 5 }, 'MessageSent', { mentions: ['bob'] })
    expect(inbox.project(record)).toEqual([])
    const recall = accepted({ stream: 'r:hall', seq: 6 }, 'MessageRecalled', { target: target(5) })
    expect(inbox.project(recall)).toEqual([])
    expect(directory.project(recall)).toEqual([])
  })
  test('given mentions, then one entry for the conversation', () => {
    const [, write] = inbox.project(accepted({ seq: 5 }, 'MessageSent', { mentions: ['bob', 'cid', 'bob'] }))
    expect(write).toEqual({
      kind: 'mentioned',
      conversationId,
      ordinal: 5,
      seq: 5,
      author: 'ann',
      users: ['bob', 'cid'],
      all: false,
    })
  })
  test('given a mention of all, then one entry whatever the size of the group, beside those named', () => {
    const [, write] = inbox.project(
      accepted({ seq: 5 }, 'MessageSent', { mentionAll: true, mentions: ['bob'] }),
    )
    expect(write).toMatchObject({ kind: 'mentioned', ordinal: 5, users: ['bob'], all: true })
  })
  test('given a mention of oneself, then no entry: one’s own messages are never unread', () => {
    expect(inbox.project(accepted({ seq: 5 }, 'MessageSent', { mentions: ['ann'] }))).toHaveLength(1)
  })
  test('given an edit, then whom the message names from then on, at its own ordinal', () => {
    const edit = accepted({ seq: 9, ordinal: 8 }, 'MessageEdited', { target: target(3), mentions: ['bob'] })
    expect(inbox.project(edit)).toEqual([
      { kind: 'mentioned', conversationId, ordinal: 3, seq: 9, author: 'ann', users: ['bob'], all: false },
    ])
  })
  test('given a recall, then the ordinal of the message, not of the recall', () => {
    const recall = accepted({ seq: 9, ordinal: 8 }, 'MessageRecalled', { target: target(3) })
    expect(inbox.project(recall)).toEqual([
      { kind: 'recalled', conversationId, ordinal: 3, author: 'ann' },
      { kind: 'mentioned', conversationId, ordinal: 3, seq: 9, author: 'ann', users: [], all: false },
    ])
  })
  test('given a read mark, then the position of its reader', () => {
    const mark = accepted({ stream: 'u:bob', sender: 'bob' }, 'ReadMarked', {
      conversationId,
      seq: 7,
      ordinal: 6,
    })
    expect(inbox.project(mark)).toEqual([{ kind: 'read', user: 'bob', conversationId, seq: 7, ordinal: 6 }])
  })
  test('given a rejection or a roster change, then nothing', () => {
    expect(inbox.project(accepted({}, 'Rejection'))).toEqual([])
    expect(inbox.project(accepted({ stream: 'g:1' }, 'MembersAdded'))).toEqual([])
  })
})
