import { describe, expect, it } from 'vitest'
import type { Author } from '../../../gateway/command-of.ts'
import { type RequestFrame, requestOf } from '../../../gateway/requests.ts'
import { cursorText } from '../../../projections/reads/cursor.ts'
import { placeText } from '../../../projections/reads/search.ts'
import { limits } from '../../../schemas/limits.ts'

const alice: Author = { userId: 'alice', deviceId: 'd1', rights: [], room: null }
const supervisor: Author = { ...alice, rights: ['observe'] }
const id = 1
const group = { id, conversationId: 'g:x' }
const all = { before: null, after: null, limit: null }
const ask = (frame: RequestFrame, author = alice) => requestOf(frame, author)
const search = (part: object): RequestFrame => ({
  type: 'search',
  id,
  query: 'tea',
  conversationId: null,
  before: null,
  limit: null,
  ...part,
})

describe('a request', () => {
  it('asks for no more than its limit, and for the usual where it says nothing', () => {
    const history = (limit: number | null) => ask({ type: 'history', ...group, ...all, limit })
    expect(history(null)).toMatchObject({ limit: limits.pageMessagesDefault })
    expect(history(1_000_000)).toMatchObject({ limit: limits.pageMessagesMax })
    expect(history(-5)).toMatchObject({ limit: 1 })
    const overview = (limit: number | null, pages: number | null) =>
      ask({ type: 'overview', id, limit, pages })
    expect(overview(null, null)).toMatchObject({
      limit: limits.conversationsPageDefault,
      pages: limits.overviewPagesDefault,
    })
    expect(overview(9_999, 9_999)).toMatchObject({
      limit: limits.conversationsPageMax,
      pages: limits.overviewPagesMax,
    })
    expect(overview(0, -1)).toMatchObject({ limit: 1, pages: 0 })
    expect(ask({ type: 'members', ...group, after: null, limit: 9_999 })).toMatchObject({
      limit: limits.membersPageMax,
    })
    expect(ask({ type: 'readers', ...group, seq: 1, after: null, limit: 9_999 })).toMatchObject({
      limit: limits.readersPageMax,
    })
    expect(ask(search({ limit: 9_999 }))).toMatchObject({ limit: limits.searchPageMax })
  })

  it('goes on only from a place that the server has told', () => {
    const list = cursorText({ pinned: true, time: 5, conversationId: 'p2p:a:b' })
    const found = placeText({ time: 5, seq: 3, conversation: 'g:x' })
    const frames: [string, (cursor: string) => RequestFrame][] = [
      [list, (before) => ({ type: 'conversations', id, before, limit: null })],
      [found, (before) => search({ before })],
      ['12.bob', (after) => ({ type: 'members', ...group, after, limit: null })],
      ['bob', (after) => ({ type: 'readers', ...group, seq: 1, after, limit: null })],
    ]
    for (const [cursor, frame] of frames) {
      expect(ask(frame(cursor))).toHaveProperty('kind')
      for (const wrong of [
        '',
        '\n',
        'x'.repeat(limits.cursorCharsMax + 1),
        "' OR 1=1",
        '{"a":1}',
        '__proto__:',
      ])
        expect(ask(frame(wrong)), wrong).toMatchObject({ code: 'bad_position' })
    }
  })

  const refused: [string, RequestFrame, string][] = [
    ['a page of two ends', { type: 'history', ...group, ...all, before: 5, after: 1 }, 'bad_frame'],
    ['a page before the beginning', { type: 'history', ...group, ...all, before: -1 }, 'bad_position'],
    ['a page of no conversation', { type: 'history', id, conversationId: 'x', ...all }, 'bad_id'],
    ['a page of others', { type: 'history', id, conversationId: 'p2p:bob:carol', ...all }, 'not_member'],
    ["a page of another's own stream", { type: 'history', id, conversationId: 'u:bob', ...all }, 'bad_id'],
    [
      'changes of a range upside down',
      { type: 'sync', ...group, ranges: [{ from: 5, to: 1 }], changesUpTo: 0 },
      'bad_position',
    ],
    [
      'changes up to before the beginning',
      { type: 'sync', ...group, ranges: [], changesUpTo: -1 },
      'bad_position',
    ],
    [
      'changes of too many ranges',
      {
        type: 'sync',
        ...group,
        ranges: Array(limits.rangesPerSyncMax + 1).fill({ from: 1, to: 1 }),
        changesUpTo: 0,
      },
      'too_many',
    ],
    [
      'members of a single chat',
      { type: 'members', id, conversationId: 'p2p:alice:bob', after: null, limit: null },
      'bad_id',
    ],
    [
      'readers of no message',
      { type: 'readers', ...group, seq: 0, after: null, limit: null },
      'no_such_message',
    ],
    [
      'too many profiles',
      { type: 'profiles', id, userIds: Array(limits.profilesPerRequestMax + 1).fill('a') },
      'too_many',
    ],
    ['a profile of no id', { type: 'profiles', id, userIds: ['a b'] }, 'bad_id'],
    [
      'a look-up of no packId',
      { type: 'lookup', ...group, packId: '0193D3A0-0000-7000-8000-00000000000A' },
      'pack_id_invalid',
    ],
    ['a search for nothing', search({ query: '' }), 'bad_content'],
    ['a search for a space', search({ query: ' \t' }), 'bad_content'],
    ['a search for half a character', search({ query: 'a\ud800' }), 'bad_content'],
    ['a search of too many bytes', search({ query: 'é'.repeat(limits.searchQueryBytesMax) }), 'bad_content'],
    ['a search among others', search({ conversationId: 'p2p:bob:carol' }), 'not_member'],
    ['a search in no conversation', search({ conversationId: 'g:' }), 'bad_id'],
  ]
  it.each(refused)('for %s is refused', (_, frame, code) => {
    expect(ask(frame)).toMatchObject({ code })
  })

  it('may be for one’s own stream, and with the right to observe for conversations of others', () => {
    const history = (conversationId: string): RequestFrame => ({
      type: 'history',
      id,
      conversationId,
      ...all,
    })
    expect(ask(history('u:alice'))).toMatchObject({ kind: 'history' })
    expect(ask(history('p2p:bob:carol'), supervisor)).toMatchObject({ kind: 'history' })
    expect(ask(history('u:bob'), supervisor)).toMatchObject({ code: 'bad_id' })
    expect(ask(search({ conversationId: 'p2p:bob:carol' }), supervisor)).toMatchObject({ kind: 'search' })
  })
})
