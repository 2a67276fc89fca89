import { describe, expect, test } from 'vitest'
import {
  blankTail,
  editedTail,
  elementOf,
  itemFrom,
  recalledTail,
} from '../../../projections/timeline/element.ts'
import { timeline } from '../../../projections/timeline/project.ts'
import type { Item } from '../../../schemas/frames.ts'
import { editedMessage, itemOf, recalledMessage } from '../../../schemas/item.ts'
import { accepted, target, undecodable } from '../../support/projections/accepted.ts'

const itemIn = (record: Parameters<typeof timeline.project>[0]): Item =>
  itemOf(record.envelope, record.payload as NonNullable<typeof record.payload>) as Item

describe('the timeline', () => {
  test('given a message, then its item with what may change behind the only line break', () => {
    const content = Buffer.from(JSON.stringify({ text: 'two\nlines "quoted" \\ 你好' }))
    const record = accepted({ seq: 3 }, 'MessageSent', { content, replyTo: 2, mentions: ['bob'] })
    const [write] = timeline.project(record)
    expect(write).toMatchObject({ stream: 'p2p:ann:bob', seq: 3, ordinal: 3, message: true, change: null })
    expect(write?.element.split('\n')).toHaveLength(2)
    expect(itemFrom(write?.element ?? '')).toEqual(itemIn(record))
  })

  test('given an edit, then the message is rewritten with the new content and nothing else', () => {
    const message = itemIn(accepted({ seq: 1 }, 'MessageSent', { replyTo: 7 }))
    const change = accepted({ seq: 2, ordinal: 1 }, 'MessageEdited', {
      content: Buffer.from('{"text":"new"}'),
    })
    const [write] = timeline.project(change)
    expect(write?.change).toEqual({ target: 1, kind: 'e', tail: editedTail(itemIn(change)) })
    const [head] = elementOf(message).split('\n')
    expect(itemFrom(`${head}\n${write?.change?.tail}`)).toEqual(editedMessage(message, itemIn(change)))
  })

  test('given a recall, then nothing of the message is left but its place', () => {
    const message = itemIn(accepted({ seq: 1 }, 'MessageSent', { replyTo: 7, mentions: ['bob'] }))
    const [write] = timeline.project(
      accepted({ seq: 2, ordinal: 1 }, 'MessageRecalled', { target: target(1) }),
    )
    expect(write?.change).toMatchObject({ target: 1, kind: 'r', tail: recalledTail(2) })
    const [head] = elementOf(message).split('\n')
    const left = itemFrom(`${head}\n${write?.change?.tail}`)
    expect(left).toEqual(recalledMessage(message, { ...message, seq: 2 }))
    expect(left.content).toBeNull()
  })

  test('given an edit of a message recalled later, then its text is gone as well', () => {
    const edit = itemIn(accepted({ seq: 2, ordinal: 1 }, 'MessageEdited'))
    const [head] = elementOf(edit).split('\n')
    expect(itemFrom(`${head}\n${blankTail(1)}`)).toEqual({
      ...edit,
      contentType: null,
      content: null,
      mentions: [],
      mentionAll: false,
    })
  })

  test('given a reaction, then its place among those of the message', () => {
    const at = { seq: 4, sender: 'bob' }
    const [on] = timeline.project(accepted(at, 'Reacted', { target: target(2), emoji: ':a b:' }))
    const [off] = timeline.project(accepted(at, 'Reacted', { target: target(2), on: false }))
    expect(on?.reaction).toEqual({ target: 2, member: '2:bob::a b:', on: true })
    expect(off?.reaction).toMatchObject({ on: false })
    expect(on).toMatchObject({ message: false, change: null })
  })

  test('given an event that cannot be decoded, then its seq is still taken', () => {
    const [write] = timeline.project(undecodable(accepted({ seq: 4 }, 'MessageSent')))
    expect(write).toMatchObject({ seq: 4, message: false })
    expect(itemFrom(write?.element ?? '')).toMatchObject({ kind: 'hidden', seq: 4, content: null })
  })

  test('given a rejection, then nothing', () => {
    expect(timeline.project(accepted({}, 'Rejection'))).toEqual([])
  })
})
