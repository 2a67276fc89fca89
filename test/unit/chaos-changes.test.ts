/** What the checker finds about recalls, edits, unread counts and rights, in a group of which one device was away for a while. */
import { expect, test } from 'vitest'
import type { CommandPayload, EventPayload } from '../../schemas/records.ts'
import { check } from '../chaos/checker/check.ts'
import { hashOfText } from '../chaos/checker/log.ts'
import type { Entry, FindingKind } from '../chaos/checker/types.ts'
import {
  claim,
  drop,
  emptyWorld,
  group,
  kindsOf,
  message,
  packId,
  say,
  schemas,
  step,
  told,
  type World,
} from '../support/checker-world.ts'

interface Story {
  readonly world: World
  seq: number
  ordinal: number
  n: number
}

/** One command of the group, committed; answers the event's seq. */
function act(
  story: Story,
  sender: string,
  asked: CommandPayload,
  answer: Record<string, unknown> & { type: EventPayload['type'] },
  text?: string,
): number {
  story.n += 1
  story.seq += 1
  if (answer.type === 'MessageSent') story.ordinal += 1
  const { world, n, seq, ordinal } = story
  step(world, { stream: group, sender, n, seq, ordinal, asked, answer })
  told(world, text === undefined ? 'do' : 'send', n, `${sender}/1`, group, seq, text)
  return seq
}

const named = (text: string, mentions: string[], mentionAll = false) => ({
  ...message(text),
  mentions,
  mentionAll,
})
const post = (story: Story, sender: string, text: string, mentions: string[] = [], all = false) => {
  const body = named(text, mentions, all)
  return act(story, sender, { type: 'SendMessage', ...body }, { type: 'MessageSent', ...body }, text)
}
const targetOf = (story: Story, seq: number, ordinal: number, sender: string) => ({
  seq,
  ordinal,
  sender,
  time: 1_000,
  packId: packId(story.n),
})
const recall = (story: Story, by: string, seq: number, ordinal: number, author: string) =>
  act(
    story,
    by,
    { type: 'RecallMessage', seq, target: null },
    { type: 'MessageRecalled', target: targetOf(story, seq, ordinal, author) },
  )
const edit = (story: Story, by: string, seq: number, ordinal: number, text: string, mentions: string[]) => {
  const body = named(text, mentions)
  const { replyTo: _, ...rest } = body
  return act(
    story,
    by,
    { type: 'EditMessage', seq, target: null, ...rest },
    { type: 'MessageEdited', target: targetOf(story, seq, ordinal, by), ...rest },
    text,
  )
}

const see = (world: World, dev: string, op: string, seq: number, text: string | null, n?: number) =>
  say(world, {
    ...{ dev, op, phase: 'ok', conv: group, seq },
    ...(op === 'recalled' ? {} : { hash: text === null ? null : hashOfText(text) }),
    ...(n === undefined ? {} : { n }),
  })

/**
 * alice (owner), bob and carol. Messages 2 (recalled by alice), 3 (edited by bob, then names carol instead of all) and 4.
 * carol's device is away from before 4 until after the recall.
 */
function soundStory(): Story {
  const world = emptyWorld()
  const story: Story = { world, seq: 0, ordinal: 0, n: 0 }
  for (const user of ['alice', 'bob', 'carol']) {
    say(world, { dev: `${user}/1`, op: 'watch', phase: 'ok' })
    say(world, { dev: `${user}/1`, op: 'connect', phase: 'ok' })
  }
  claim(world)
  const create = { name: 'team', members: ['alice', 'bob', 'carol'] }
  act(story, 'alice', { type: 'CreateGroup', ...create }, { type: 'GroupCreated', ...create })
  post(story, 'bob', 'take me back', ['carol'])
  post(story, 'bob', 'first draft', [], true)
  for (const dev of ['alice/1', 'bob/1', 'carol/1']) {
    see(world, dev, 'recv', 2, 'take me back')
    see(world, dev, 'recv', 3, 'first draft')
  }
  say(world, { dev: 'carol/1', op: 'disconnect', phase: 'info' })
  post(story, 'alice', 'and I', ['bob', 'carol'])
  const recalled = recall(story, 'alice', 2, 1, 'bob')
  const edited = edit(story, 'bob', 3, 2, 'second draft', ['carol'])
  for (const dev of ['alice/1', 'bob/1']) {
    see(world, dev, 'recv', 4, 'and I')
    see(world, dev, 'recalled', 2, null, recalled)
    see(world, dev, 'edited', 3, 'second draft', edited)
  }
  say(world, { dev: 'carol/1', op: 'reconnect', phase: 'ok' })
  see(world, 'carol/1', 'recalled', 2, null, recalled)
  see(world, 'carol/1', 'edited', 3, 'second draft', edited)
  see(world, 'carol/1', 'recv', 4, 'and I')
  const counts: Record<string, [number, number, number]> = {
    alice: [1, 0, 0],
    bob: [1, 1, 0],
    carol: [2, 2, 0],
  }
  for (const [user, [n, mentions, mentionsAll]] of Object.entries(counts)) {
    const dev = `${user}/new`
    say(world, { dev, op: 'listed', phase: 'ok' })
    say(world, { dev, op: 'unread', phase: 'ok', conv: group, n, mentions, mentionsAll, seq: story.seq })
    see(world, dev, 'preview', 4, 'and I')
    say(world, { dev, op: 'readStart', phase: 'ok', conv: group })
    see(world, dev, 'read', 2, null)
    see(world, dev, 'read', 3, 'second draft')
    see(world, dev, 'read', 4, 'and I')
    see(world, dev, 'search', 2, 'take me back', 0)
    see(world, dev, 'search', 3, 'first draft', 0)
    see(world, dev, 'search', 3, 'second draft', 1)
  }
  world.archivedRows.set(`messages ${group}`, 3).set(`items ${group}`, story.seq)
  return story
}

test('a sound history of recalls, edits and mentions passes, with every part of it compared', () => {
  const { world } = soundStory()
  const verdict = check({ schemas, ...world })
  expect(verdict.findings).toEqual([])
  expect(verdict.changes).toEqual({ recalls: 1, edits: 1, learnedLate: 1, searches: 9 })
  expect(verdict.unreadCompared).toBe(3)
})

const at = (dev: string, op: string, seq: number) => (entry: Entry) =>
  entry.dev === dev && entry.op === op && entry.seq === seq
const replace = (world: World, where: (entry: Entry) => boolean, change: Partial<Entry>): void => {
  const index = world.history.findIndex(where)
  world.history[index] = { ...(world.history[index] as Entry), ...change }
}

type Plant = (story: Story) => unknown
const plants: [string, FindingKind[], Plant][] = [
  [
    'a text shown again after its recall is told',
    ['recall'],
    ({ world }) => see(world, 'bob/1', 'edited', 2, 'take me back', 6),
  ],
  [
    'a text given to a device that came online after its recall is told',
    ['inversion', 'recall', 'stale'],
    ({ world }) => {
      drop(world.history, at('carol/1', 'recv', 2))
      drop(world.history, at('carol/1', 'recalled', 2))
      see(world, 'carol/1', 'recv', 2, 'take me back')
    },
  ],
  [
    'a recalled text read at the end is told',
    ['recall'],
    ({ world }) => replace(world, at('carol/new', 'read', 2), { hash: hashOfText('take me back') }),
  ],
  [
    'a recalled text in a preview is told',
    ['recall'],
    ({ world }) => see(world, 'bob/new', 'preview', 2, 'take me back'),
  ],
  [
    'a recalled text that is found is told',
    ['recall'],
    ({ world }) => replace(world, at('bob/new', 'search', 2), { n: 1 }),
  ],
  [
    'a living text that is not found is told',
    ['history'],
    ({ world }) =>
      replace(
        world,
        (entry) => at('bob/new', 'search', 3)(entry) && entry.hash === hashOfText('second draft'),
        { n: 0 },
      ),
  ],
  [
    'a text from before an edit that is found is told',
    ['stale'],
    ({ world }) => replace(world, at('bob/new', 'search', 3), { n: 1 }),
  ],
  [
    'a device that never learns of a recall is told',
    ['stale'],
    ({ world }) => drop(world.history, at('carol/1', 'recalled', 2)),
  ],
  [
    'a device that never learns of an edit is told',
    ['stale'],
    ({ world }) => drop(world.history, at('alice/1', 'edited', 3)),
  ],
  [
    'an old version read at the end is told',
    ['stale'],
    ({ world }) => replace(world, at('alice/new', 'read', 3), { hash: hashOfText('first draft') }),
  ],
  [
    'a recall that the log does not hold is untrue',
    ['recall', 'untrue'],
    ({ world }) => {
      see(world, 'bob/1', 'recalled', 4, null, 7)
      see(world, 'bob/1', 'edited', 4, 'and I', 8)
    },
  ],
  [
    'a recalled message that counts as unread is told',
    ['unread'],
    ({ world }) => replace(world, (entry) => entry.dev === 'carol/new' && entry.op === 'unread', { n: 3 }),
  ],
  [
    'a mention that an edit took away and still counts is told',
    ['unread'],
    ({ world }) =>
      replace(world, (entry) => entry.dev === 'carol/new' && entry.op === 'unread', { mentionsAll: 1 }),
  ],
]

test.each(plants)('%s', (_, kinds, plant) => {
  const story = soundStory()
  plant(story)
  expect(kindsOf(story.world)).toEqual(kinds)
})

type Deed = [what: string, sender: string, asked: CommandPayload, answer: Record<string, unknown>]
const mute = (user: string, until: number): Deed[2] => ({ type: 'MuteMember', user, forMs: until })
const forbidden: [string, Deed[]][] = [
  ['an edit of another’s message', [['edit', 'alice', {} as CommandPayload, {}]]],
  ['a recall by a member of another’s message', [['recall', 'carol', {} as CommandPayload, {}]]],
  [
    'a mute of the owner',
    [['mute', 'bob', mute('alice', 5_000), { type: 'MemberMuted', user: 'alice', until: 9_000 }]],
  ],
  [
    'a message by a muted member',
    [
      ['mute', 'alice', mute('bob', 5_000), { type: 'MemberMuted', user: 'bob', until: 9_000 }],
      ['send', 'bob', {} as CommandPayload, {}],
    ],
  ],
  [
    'a message after the end of the group',
    [
      ['dissolve', 'alice', { type: 'DissolveGroup' }, { type: 'GroupDissolved' }],
      ['send', 'bob', {} as CommandPayload, {}],
    ],
  ],
  [
    'a role set by a member',
    [
      [
        'role',
        'bob',
        { type: 'SetRole', user: 'bob', role: 'admin' },
        { type: 'RoleSet', user: 'bob', role: 'admin' },
      ],
    ],
  ],
  [
    'a join that nobody let in',
    [
      [
        'join',
        'dora',
        { type: 'AnswerJoin', user: 'dora', accept: true },
        { type: 'JoinAnswered', user: 'dora', accept: true },
      ],
    ],
  ],
]

test.each(forbidden)('%s is forbidden', (_, deeds) => {
  const story = soundStory()
  for (const [what, sender, asked, answer] of deeds)
    if (what === 'send') post(story, sender, 'may I?')
    else if (what === 'edit') edit(story, sender, 3, 2, 'mine now', [])
    else if (what === 'recall') recall(story, sender, 4, 3, 'alice')
    else act(story, sender, asked, answer as Parameters<typeof act>[3])
  expect(kindsOf(story.world)).toContain('forbidden')
})

test('what the owner and an admin may do passes', () => {
  const story = soundStory()
  const role = { user: 'bob', role: 'admin' }
  act(story, 'alice', { type: 'SetRole', ...role }, { type: 'RoleSet', ...role })
  act(story, 'bob', mute('carol', 5_000), { type: 'MemberMuted', user: 'carol', until: 9_000 })
  act(story, 'bob', mute('carol', 0), { type: 'MemberMuted', user: 'carol', until: 0 })
  post(story, 'carol', 'thanks', [], true)
  recall(story, 'bob', story.seq, story.ordinal, 'carol')
  expect(kindsOf(story.world)).not.toContain('forbidden')
})

/**
 * carol, out from 4 on, back in with 8 if `back`. Message 2 was edited before and after she left, message 3 recalled after; her
 * device was told what she may know.
 */
function absence(back: boolean): Story {
  const world = emptyWorld()
  const story: Story = { world, seq: 0, ordinal: 0, n: 0 }
  for (const user of ['alice', 'carol']) {
    say(world, { dev: `${user}/1`, op: 'watch', phase: 'ok' })
    say(world, { dev: `${user}/1`, op: 'connect', phase: 'ok' })
  }
  claim(world)
  const create = { name: 'team', members: ['alice', 'carol'] }
  act(story, 'alice', { type: 'CreateGroup', ...create }, { type: 'GroupCreated', ...create })
  post(story, 'alice', 'first')
  post(story, 'alice', 'oops')
  edit(story, 'alice', 2, 1, 'second', [])
  const members = ['carol']
  act(story, 'alice', { type: 'RemoveMembers', members }, { type: 'MembersRemoved', members })
  edit(story, 'alice', 2, 1, 'third', [])
  recall(story, 'alice', 3, 2, 'alice')
  if (back) act(story, 'alice', { type: 'AddMembers', members }, { type: 'MembersAdded', members })
  for (const dev of ['alice/1', 'carol/1']) {
    see(world, dev, 'recv', 2, 'first')
    see(world, dev, 'recv', 3, 'oops')
    see(world, dev, 'edited', 2, 'second', 4)
    if (dev === 'carol/1' && !back) continue
    see(world, dev, 'edited', 2, 'third', 6)
    see(world, dev, 'recalled', 3, null, 7)
  }
  const known = back ? 'third' : 'second'
  say(world, { dev: 'carol/new', op: 'readStart', phase: 'ok', conv: group })
  see(world, 'carol/new', 'read', 2, known)
  see(world, 'carol/new', 'read', 3, null)
  for (const text of ['first', 'second', 'third'])
    see(world, 'carol/new', 'search', 2, text, text === known ? 1 : 0)
  world.archivedRows.set(`messages ${group}`, 2).set(`items ${group}`, story.seq)
  return story
}

test.each([true, false])('what is told to one who was out passes (back: %s)', (back) => {
  expect(check({ schemas, ...absence(back).world }).findings).toEqual([])
})

const absences: [string, boolean, FindingKind[], Plant][] = [
  [
    'a version from after one left, read at the end, is told',
    false,
    ['trespass'],
    ({ world }) => replace(world, at('carol/new', 'read', 2), { hash: hashOfText('third') }),
  ],
  [
    'such a version in a preview is told',
    false,
    ['trespass'],
    ({ world }) => see(world, 'carol/new', 'preview', 2, 'third'),
  ],
  [
    'such a version on a device is told',
    false,
    ['trespass'],
    ({ world }) => see(world, 'carol/1', 'edited', 2, 'third', 6),
  ],
  [
    'such a version found by its words is told',
    false,
    ['stale'],
    ({ world }) =>
      replace(world, (entry) => entry.op === 'search' && entry.hash === hashOfText('third'), { n: 1 }),
  ],
  [
    'a text of his time that one who left does not find is told',
    false,
    ['history'],
    ({ world }) =>
      replace(world, (entry) => entry.op === 'search' && entry.hash === hashOfText('second'), { n: 0 }),
  ],
  [
    'a text read by one who left, and recalled since, is told',
    false,
    ['recall'],
    ({ world }) => replace(world, at('carol/new', 'read', 3), { hash: hashOfText('oops') }),
  ],
  [
    'a recall between leaving and coming back that a device never learns of is told',
    true,
    ['stale'],
    ({ world }) => drop(world.history, at('carol/1', 'recalled', 3)),
  ],
  [
    'an edit between leaving and coming back that a device never learns of is told',
    true,
    ['stale'],
    ({ world }) => drop(world.history, (entry) => at('carol/1', 'edited', 2)(entry) && entry.n === 6),
  ],
]

test.each(absences)('%s', (_, back, kinds, plant) => {
  const story = absence(back)
  plant(story)
  expect(kindsOf(story.world)).toEqual(kinds)
})
