import { describe, expect, it } from 'vitest'
import { answerBody, parsePoll } from '../../../../gateway/transports/poll-body.ts'
import { limits } from '../../../../schemas/limits.ts'

const parsed = (text: string | Buffer) => parsePoll(Buffer.from(text as string))
const requestOf = (text: string) => {
  const result = parsed(text)
  if (!result.ok) throw new Error(result.message)
  return { ...result.request, frames: result.request.frames.map(String) }
}

describe('the body of a poll', () => {
  it('may say nothing', () => {
    const nothing = { after: null, waitMs: null, sent: null, frames: [] }
    expect(requestOf('')).toEqual(nothing)
    expect(requestOf(' { } ')).toEqual(nothing)
    expect(requestOf('{"frames":[],"after":null}')).toEqual(nothing)
  })

  it('passes frames through byte for byte', () => {
    const frames = [
      '{"type":"send","content":{"n":1.0000000000000000001,"t":"],[\\"}"}}',
      '{ "type" : "ping", "id" : 1 }',
      '"no frame"',
      '[1,[2]]',
    ]
    const text = `{"after": 3, "frames" : [ ${frames.join(' , ')} ],"waitMs":0,"sent":9}`
    expect(requestOf(text)).toEqual({ after: 3, waitMs: 0, sent: 9, frames })
  })

  it.each<[string, string | Buffer, string]>([
    ['no JSON', '{', 'bad_frame'],
    ['no object', '[]', 'bad_frame'],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'bad_frame'],
    ['a field twice', '{"after":1,"after":2}', 'bad_frame'],
    ['a field twice, escaped', '{"after":1,"\\u0061fter":2}', 'bad_frame'],
    ['a field that is none', '{"afer":1}', 'bad_frame'],
    ['an inherited name', '{"__proto__":1}', 'bad_frame'],
    ['a negative position', '{"after":-1}', 'bad_frame'],
    ['half a position', '{"after":0.5}', 'bad_frame'],
    ['a position beyond 2^53', '{"after":9007199254740993}', 'bad_frame'],
    ['a wait without end', '{"waitMs":1e400}', 'bad_frame'],
    ['frames that are no list', '{"frames":{"length":1}}', 'bad_frame'],
    [
      'too many frames',
      `{"frames":[${Array(limits.pollFramesMax + 1)
        .fill('{}')
        .join()}]}`,
      'too_many',
    ],
    ['what is nested 100,000 deep', `{"frames":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'bad_frame'],
  ])('%s is refused', (_, body, code) => {
    expect(parsed(body)).toMatchObject({ ok: false, code })
  })
})

describe('the body of an answer', () => {
  it('holds the frames as they are', () => {
    const frames = ['{"type":"pong"}', '{"a":1.0}'].map((text) => Buffer.from(text))
    expect(String(answerBody({ session: 'gw.x', cursor: 2, frames, ended: null }))).toBe(
      '{"session":"gw.x","cursor":2,"frames":[{"type":"pong"},{"a":1.0}]}',
    )
    expect(String(answerBody({ session: null, cursor: 0, frames: [], ended: 'draining' }))).toBe(
      '{"cursor":0,"frames":[],"ended":"draining"}',
    )
  })
})
