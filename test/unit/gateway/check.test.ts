import { describe, expect, it } from 'vitest'
import { createCheck } from '../../../gateway/check.ts'
import { silentLog } from '../../../infra/log.ts'
import type { EndAnswer, ReadModels, StreamHeadAnswer, TargetAnswer } from '../../../projections/reads.ts'
import { limits } from '../../../schemas/limits.ts'
import { Fault } from '../../../schemas/ports.ts'
import { fakeReads } from '../../support/gateway.ts'

const down = () => Promise.reject(new Fault('redis_unavailable', 'down', { retriable: true }))
const facts = { seq: 1, ordinal: 1, sender: 'bob', time: 5, packId: Buffer.alloc(16, 1) }
const HEAD = 5_000
const headAt = (seq: number, partial = false): StreamHeadAnswer => ({
  partial,
  head: { seq, ordinal: seq, time: 0 },
})
const found: TargetAnswer = { partial: false, target: facts }
const none: TargetAnswer = { partial: false, target: null }
const unsure: TargetAnswer = { partial: true, target: null }

interface World {
  head?: StreamHeadAnswer | 'down'
  target?: TargetAnswer | 'down'
  members?: readonly string[] | 'down'
}

function ask(seq: number, { head = headAt(HEAD), target = found, members = ['alice'] }: World, of = 'g:x') {
  const asked: string[] = []
  const answer = <T>(name: string, value: T | 'down') => {
    asked.push(name)
    return value === 'down' ? down() : Promise.resolve(value)
  }
  const reads: ReadModels = {
    ...fakeReads,
    headOf: () => answer('head', head),
    target: () => answer('target', target),
    membersAmong: () =>
      answer('members', members === 'down' ? members : new Map(members.map((id) => [id, 1]))),
  }
  const check = createCheck(reads, silentLog)
  return check('alice', { of: 'target', conversationId: of, seq }).then((result) => ({ ...result, asked }))
}
const old = HEAD - limits.recentMessagesMax
const halfway = HEAD - limits.recentMessagesMax / 2
const asItIs = { code: null, target: null }

describe('a command that changes a message', () => {
  it('goes as it is where the stream surely knows the message', async () => {
    expect(await ask(halfway + 1, {})).toEqual({ ...asItIs, asked: ['head'] })
    expect(await ask(HEAD + 1, {})).toMatchObject(asItIs)
    expect(await ask(1, { head: { partial: false, head: null } })).toMatchObject(asItIs)
  })

  it('gets the facts of an older one, in time before the stream forgets it', async () => {
    expect(await ask(old, {})).toMatchObject({ code: null, target: facts })
    expect(await ask(halfway, {})).toMatchObject({ code: null, target: facts })
  })

  it('is refused only for certain', async () => {
    expect(await ask(old, { target: none })).toMatchObject({ code: 'no_such_message' })
    expect(await ask(old, { target: unsure })).toMatchObject({ code: 'unavailable' })
    expect(await ask(old, { target: 'down' })).toMatchObject({ code: 'unavailable' })
    expect(await ask(old, { target: none, members: 'down' })).toMatchObject({ code: 'unavailable' })
    expect(await ask(halfway, { target: unsure })).toMatchObject(asItIs)
  })

  it('of one who is not in the group is left to the stream, which tells no seq from another', async () => {
    expect(await ask(old, { target: none, members: [] })).toMatchObject(asItIs)
    expect(await ask(old, { target: none, members: [] }, 'p2p:alice:bob')).toMatchObject({
      code: 'no_such_message',
    })
  })

  it('goes on without the stores: recent messages need none of them', async () => {
    const all = { head: 'down', target: 'down', members: 'down' } as const
    expect(await ask(10, all)).toMatchObject(asItIs)
    expect(await ask(10, { ...all, target: found })).toMatchObject({ target: facts })
  })
})

describe('a read mark', () => {
  const end = { seq: HEAD, ordinal: HEAD - 1 }
  const mark = (seq: number, ordinal: number, answer: EndAnswer | 'down') =>
    createCheck(
      { ...fakeReads, endFor: () => (answer === 'down' ? down() : Promise.resolve(answer)) },
      silentLog,
    )('alice', { of: 'mark', conversationId: 'g:x', seq, ordinal })

  it('lies within what the user may read, or is refused for certain, or later', async () => {
    const sure = { partial: false, end }
    expect(await mark(HEAD, HEAD - 1, sure)).toMatchObject({ code: null })
    expect(await mark(HEAD + 1, HEAD - 1, sure)).toMatchObject({ code: 'bad_position' })
    expect(await mark(HEAD, HEAD, sure)).toMatchObject({ code: 'bad_position' })
    expect(await mark(HEAD + 1, 1, { partial: true, end })).toMatchObject({ code: 'unavailable' })
    expect(await mark(1, 1, 'down')).toMatchObject({ code: 'unavailable' })
  })

  it('of one who never was in the group is refused as everything is, at whatever seq', async () => {
    for (const seq of [1, HEAD, HEAD + 1])
      expect(await mark(seq, 0, { partial: false, end: null })).toMatchObject({ code: 'not_member' })
    expect(await mark(1, 0, { partial: true, end: null })).toMatchObject({ code: 'unavailable' })
  })
})
