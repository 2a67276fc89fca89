import { describe, expect, it } from 'vitest'
import { type Author, type CommandFrame, commandOf } from '../../../gateway/command-of.ts'
import { limits } from '../../../schemas/limits.ts'
import { newPackId } from '../../support/gateway.ts'

const T0 = 1_800_000_000_000
const alice: Author = { userId: 'alice', deviceId: 'd1', rights: [], room: null }
const supervisor: Author = { ...alice, rights: ['observe'] }
const packId = newPackId(T0)
type Without<T> = T extends unknown ? Omit<T, 'packId'> : never
type Asked = Without<CommandFrame>

function ask(frame: Asked, author = alice) {
  const content = 'content' in frame ? { value: JSON.parse(frame.content) as unknown } : null
  const made = commandOf({ ...frame, packId } as CommandFrame, content, author, T0)
  if ('code' in made) return made
  return { stream: made.stream, ...made.payload }
}

const group = { conversationId: 'g:x' }
const text = { contentType: 'text', content: '{"text":"hi"}', mentions: [], mentionAll: false }
const noGroup = {
  name: null,
  avatar: null,
  announcement: null,
  custom: null,
  joinPolicy: null,
  addPolicy: null,
}
const nobody = { name: null, avatar: null, birthday: null, region: null, gender: null, custom: null }

describe('a frame becomes the command of its stream', () => {
  const made: [Asked, object][] = [
    [
      { type: 'react', ...group, seq: 3, emoji: '👩‍👩‍👧‍👦', on: true },
      { stream: 'g:x', type: 'React', seq: 3, target: null, emoji: '👩‍👩‍👧‍👦', on: true },
    ],
    [
      { type: 'pin', conversationId: 'p2p:alice:bob', seq: 3, on: false },
      { stream: 'p2p:alice:bob', type: 'PinMessage', seq: 3, on: false },
    ],
    [
      { type: 'dissolveGroup', ...group },
      { stream: 'g:x', type: 'DissolveGroup' },
    ],
    [
      { type: 'requestJoin', ...group, note: 'hello' },
      { stream: 'g:x', type: 'RequestJoin', note: 'hello' },
    ],
    [
      { type: 'answerJoin', ...group, userId: 'bob', accept: true },
      { stream: 'g:x', type: 'AnswerJoin', user: 'bob', accept: true },
    ],
    [
      { type: 'setRole', ...group, userId: 'bob', role: 'admin' },
      { stream: 'g:x', type: 'SetRole', user: 'bob', role: 'admin' },
    ],
    [
      { type: 'mute', ...group, userId: 'bob', forMs: 60_000 },
      { stream: 'g:x', type: 'MuteMember', user: 'bob', forMs: 60_000 },
    ],
    [
      { type: 'muteAll', ...group, on: true },
      { stream: 'g:x', type: 'MuteAll', on: true },
    ],
    [
      { type: 'setGroup', ...group, ...noGroup, announcement: 'tea\nat four', joinPolicy: 'open' },
      { stream: 'g:x', type: 'SetGroup', name: null, announcement: 'tea\nat four', joinPolicy: 'open' },
    ],
    [
      { type: 'requestFriend', userId: 'bob', note: '' },
      { stream: 'p2p:alice:bob', type: 'RequestFriend', note: '' },
    ],
    [
      { type: 'answerFriend', userId: 'Aaron', accept: false },
      { stream: 'p2p:Aaron:alice', type: 'AnswerFriend', accept: false },
    ],
    [
      { type: 'deleteFriend', userId: 'bob' },
      { stream: 'p2p:alice:bob', type: 'DeleteFriend' },
    ],
    [
      { type: 'block', userId: '__proto__', on: true },
      { stream: 'p2p:__proto__:alice', type: 'Block', on: true },
    ],
    [
      { type: 'setSetting', key: 'pin:g:x', value: '1' },
      { stream: 'u:alice', type: 'SetSetting', key: 'pin:g:x', value: '1' },
    ],
    [
      { type: 'setSetting', key: 'theme', value: null },
      { stream: 'u:alice', type: 'SetSetting', key: 'theme', value: null },
    ],
    [
      { type: 'setProfile', ...nobody, birthday: '2000-02-29', custom: '{"a":[1]}', avatar: 'img/a.png' },
      { stream: 'u:alice', type: 'SetProfile', birthday: '2000-02-29', custom: '{"a":[1]}', name: null },
    ],
  ]
  it.each(made)('%j', (frame, command) => {
    expect(ask(frame)).toMatchObject(command)
  })

  it('observing only with the right in the token', () => {
    const observe = (conversationId: string, author: Author) =>
      ask({ type: 'observe', conversationId, on: true }, author)
    expect(observe('g:x', alice)).toMatchObject({ code: 'not_allowed' })
    expect(observe('p2p:bob:carol', alice)).toMatchObject({ code: 'not_allowed' })
    expect(observe('p2p:bob:carol', supervisor)).toMatchObject({ stream: 'p2p:bob:carol', type: 'Observe' })
    expect(observe('u:bob', supervisor)).toMatchObject({ code: 'bad_id' })
  })

  it('the end of observing without it: whoever lost the right may still stop', () => {
    const end = ask({ type: 'observe', conversationId: 'p2p:bob:carol', on: false }, alice)
    expect(end).toMatchObject({ stream: 'p2p:bob:carol', type: 'Observe' })
  })

  it('the right to observe opens nothing else', () => {
    expect(ask({ type: 'recall', conversationId: 'p2p:bob:carol', seq: 1 }, supervisor)).toMatchObject({
      code: 'not_member',
    })
  })
})

describe('what does not fit is refused before the log', () => {
  const deep = `${'['.repeat(limits.contentDepthMax)}${']'.repeat(limits.contentDepthMax)}`
  const react = (emoji: string): Asked => ({ type: 'react', ...group, seq: 1, emoji, on: true })
  const setGroup = (part: object): Asked => ({ type: 'setGroup', ...group, ...noGroup, ...part })
  const setProfile = (part: object): Asked => ({ type: 'setProfile', ...nobody, ...part })
  const setting = (key: string, value: string | null = '1'): Asked => ({ type: 'setSetting', key, value })
  const bytes = (count: number) => 'x'.repeat(count)
  const refused: [string, Asked, string][] = [
    ['a friend request to oneself', { type: 'requestFriend', userId: 'alice', note: '' }, 'to_oneself'],
    ['a block of oneself', { type: 'block', userId: 'alice', on: true }, 'to_oneself'],
    ['a user that can be none', { type: 'deleteFriend', userId: 'a b' }, 'bad_id'],
    ['muting all of a single chat', { type: 'muteAll', conversationId: 'p2p:alice:bob', on: true }, 'bad_id'],
    ['a reaction among others', { ...react('👍'), conversationId: 'p2p:bob:carol' } as Asked, 'not_member'],
    ['a message before the first', { type: 'pin', ...group, seq: 0, on: true }, 'no_such_message'],
    ['an unknown role', { type: 'setRole', ...group, userId: 'bob', role: 'king' }, 'bad_content'],
    [
      'an inherited name as role',
      { type: 'setRole', ...group, userId: 'bob', role: 'toString' },
      'bad_content',
    ],
    ['a mute into the past', { type: 'mute', ...group, userId: 'bob', forMs: -1 }, 'bad_content'],
    [
      'a mute for too long',
      { type: 'mute', ...group, userId: 'bob', forMs: limits.muteMsMax + 1 },
      'bad_content',
    ],
    [
      'a note too long',
      { type: 'requestJoin', ...group, note: bytes(limits.noteBytesMax + 1) },
      'bad_content',
    ],
    ['no emoji', react(''), 'bad_content'],
    ['two emoji', react('👍👍'), 'bad_content'],
    ['a word as emoji', react('ok'), 'bad_content'],
    ['a line break as emoji', react('\r\n'), 'bad_content'],
    ['a space as emoji', react(' '), 'bad_content'],
    ['a mark that turns text around', react('\u202e'), 'bad_content'],
    ['a tower of marks', react(`a${'\u0301'.repeat(limits.emojiBytesMax / 2)}`), 'bad_content'],
    ['half a character', react('\ud83d'), 'bad_content'],
    ['a group without a name', setGroup({ name: '' }), 'bad_content'],
    ['a name of two lines', setGroup({ name: 'a\nb' }), 'bad_content'],
    ['a name too long', setGroup({ name: '名'.repeat(limits.displayNameBytesMax / 3 + 1) }), 'bad_content'],
    ['an unknown policy', setGroup({ joinPolicy: 'whoever' }), 'bad_content'],
    [
      'an announcement too long',
      setGroup({ announcement: bytes(limits.announcementBytesMax + 1) }),
      'bad_content',
    ],
    ['an avatar that runs', setGroup({ avatar: 'javascript:alert(1)' }), 'bad_content'],
    ['an avatar elsewhere', setProfile({ avatar: '//evil.example.com/a.png' }), 'bad_content'],
    ['custom fields that are no object', setProfile({ custom: '[1]' }), 'bad_content'],
    ['custom fields that are no JSON', setProfile({ custom: '{a:1}' }), 'bad_content'],
    ['custom fields nested too deep', setProfile({ custom: `{"a":${deep}}` }), 'bad_content'],
    ['custom fields named twice', setProfile({ custom: '{"a":1,"a":2}' }), 'bad_content'],
    [
      'custom fields too long',
      setProfile({ custom: `{"a":"${bytes(limits.customBytesMax)}"}` }),
      'bad_content',
    ],
    ['a day that never was', setProfile({ birthday: '2001-02-29' }), 'bad_content'],
    ['a birthday in another form', setProfile({ birthday: '1.2.2001' }), 'bad_content'],
    ['a setting without a key', setting(''), 'bad_content'],
    ['a key with a space', setting('a b'), 'bad_content'],
    ['a key too long', setting(bytes(limits.settingKeyBytesMax + 1)), 'bad_content'],
    ['a value too long', setting('theme', bytes(limits.settingValueBytesMax + 1)), 'bad_content'],
    ['a pin of nothing', setting('pin:'), 'bad_content'],
    ['a pin of a user', setting('pin:u:bob'), 'bad_content'],
    ['a pin with another value', setting('pin:g:x', 'yes'), 'bad_content'],
    ['a deletion up to nowhere', setting('deleted:g:x', '-1'), 'bad_content'],
    ['a remark on nobody', setting('remark:a:b', 'x'), 'bad_content'],
    [
      'a message of the platform',
      { type: 'send', to: 'bob', conversationId: null, replyTo: null, ...text, contentType: 'system' },
      'not_allowed',
    ],
    ['a mention of no id', { type: 'edit', ...group, seq: 1, ...text, mentions: ['a b'] }, 'bad_id'],
  ]
  it.each(refused)('%s', (_, frame, code) => {
    expect(ask(frame)).toMatchObject({ code })
  })

  it('and says what was expected, never what was sent', () => {
    for (const [, frame] of refused) {
      const refusal = ask(frame)
      if ('detail' in refusal) expect(refusal.detail ?? '').not.toMatch(/evil|alert|king|whoever|a b|xxx/)
    }
  })

  it('empty takes away what may be missing', () => {
    const nothing = { avatar: '', announcement: '', custom: '' }
    expect(ask(setGroup(nothing))).toMatchObject({ type: 'SetGroup', ...nothing })
    const cleared = { name: '', avatar: '', birthday: '', region: '', gender: '', custom: '' }
    expect(ask(setProfile(cleared))).toMatchObject({ type: 'SetProfile', ...cleared })
  })
})
