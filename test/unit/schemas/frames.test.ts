import { describe, expect, test } from 'vitest'
import { open, seal } from '../../../schemas/avro.ts'
import { clientFrames, type Item, itemCodec, serverFrames } from '../../../schemas/frames.ts'
import { editedMessage, hiddenItem, itemOf, recalledMessage } from '../../../schemas/item.ts'
import { edit, recall, send } from '../../support/commands.ts'
import { by, given } from '../../support/given.ts'

const none = new Map<string, string>()
const all = { ...clientFrames, ...serverFrames }

describe('frames', () => {
  test('have names and fingerprints of their own, so that bytes name their frame', () => {
    const frames = [...Object.values(clientFrames), ...Object.values(serverFrames)]
    expect(new Set(frames.map((frame) => frame.name)).size).toBe(frames.length)
    expect(new Set(frames.map((frame) => frame.fingerprint.toString('hex'))).size).toBe(frames.length)
    expect(Object.keys(all)).toHaveLength(frames.length)
  })

  test('go through Avro and back', () => {
    const frame = { packId: 'p', code: 'too_old', message: 'm', retryAfterMs: null }
    expect(open(serverFrames.rejected, seal(serverFrames.rejected, frame), none)).toEqual(frame)
    const login = {
      token: 't',
      deviceId: 'd',
      deviceType: 'web',
      protocol: 1,
      heartbeatMs: 30_000,
      proof: null,
    }
    expect(clientFrames.login.decode(clientFrames.login.encode(login))).toEqual(login)
  })

  test('say where a value does not fit', () => {
    expect(clientFrames.ping.invalidAt({ id: 1 })).toBeNull()
    expect(clientFrames.ping.invalidAt({ id: 'x' })).toBe('id')
    expect(clientFrames.ping.invalidAt({ id: 2 ** 53 })).toBe('id')
    expect(clientFrames.ping.invalidAt({ id: 1, more: 1 })).not.toBeNull()
    expect(clientFrames.ack.invalidAt({ acks: [{ conversationId: 'g:x', seq: '1' }] })).toContain('seq')
  })
})

describe('an event as a client sees it', () => {
  const message = (): Item => {
    const { envelope, payload } = given('p2p:a:b')
      .when(by('a', send('hi', { mentions: ['b'] })))
      .event('MessageSent')
    return itemOf(envelope, payload) as Item
  }

  test('a message shows its text, sender and place', () => {
    expect(message()).toMatchObject({
      conversationId: 'p2p:a:b',
      kind: 'message',
      seq: 1,
      ordinal: 1,
      senderId: 'a',
      content: '{"text":"hi"}',
      mentions: ['b'],
    })
    expect(itemCodec.invalidAt(message())).toBeNull()
  })

  test('what is no event is no item', () => {
    const { envelope, payload } = given('p2p:a:b')
      .when(by('c', send('hi')))
      .rejection('not_member')
    expect(itemOf(envelope, payload)).toBeNull()
  })

  test('an edit puts the new content in the old place', () => {
    const { envelope, payload } = given('p2p:a:b', by('a', send('hi')))
      .when(by('a', edit(1, 'ho')))
      .event('MessageEdited')
    const shown = editedMessage(message(), itemOf(envelope, payload) as Item)
    expect(shown).toMatchObject({ kind: 'message', seq: 1, content: '{"text":"ho"}', targetSeq: 2 })
  })

  test('of a recalled message nothing of the content is left', () => {
    const { envelope, payload } = given('p2p:a:b', by('a', send('hi')))
      .when(by('a', recall(1)))
      .event('MessageRecalled')
    const shown = recalledMessage(message(), itemOf(envelope, payload) as Item)
    expect(shown).toMatchObject({ seq: 1, content: null, contentType: null, mentions: [], targetSeq: 2 })
    expect(JSON.stringify(shown)).not.toContain('hi"')
  })

  test('a hidden one shows its seq and no more', () => {
    const shown = hiddenItem('g:x', 5)
    expect(shown).toMatchObject({
      conversationId: 'g:x',
      seq: 5,
      kind: 'hidden',
      content: null,
      senderId: '',
    })
    expect(itemCodec.invalidAt(shown)).toBeNull()
  })
})
