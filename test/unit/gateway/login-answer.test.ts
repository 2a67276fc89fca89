import { describe, expect, it } from 'vitest'
import { loginAnswerOf, signatureOf } from '../../../gateway/login-answer.ts'
import { limits } from '../../../schemas/limits.ts'

describe('the answer of a login hook', () => {
  it.each([
    ['{"decision":"allow"}', { decision: 'allow' }],
    ['{"decision":"refuse","why":"not told"}', { decision: 'refuse' }],
    [
      '{"decision":"challenge","challenge":{"kind":"captcha","image":"https://x"}}',
      { decision: 'challenge', challenge: '{"kind":"captcha","image":"https://x"}' },
    ],
  ])('%s', (text, answer) => {
    expect(loginAnswerOf(text)).toEqual(answer)
  })

  it.each([
    '',
    'allow',
    '"allow"',
    'null',
    '[]',
    '{}',
    '{"decision":"Allow"}',
    '{"decision":"allow","decision":"refuse"}',
    '{"decision":["allow"]}',
    '{"decision":"unavailable"}',
    '{"decision":"challenge"}',
    '{"decision":"challenge","challenge":"captcha"}',
    '{"decision":"challenge","challenge":{}}',
    '{"decision":"challenge","challenge":{"kind":""}}',
    `{"decision":"challenge","challenge":{"kind":"x","pad":"${'x'.repeat(limits.challengeBytesMax)}"}}`,
    `{"decision":"allow","x":${'['.repeat(100)}${']'.repeat(100)}}`,
  ])('is none: %j', (text) => {
    expect(loginAnswerOf(text)).toBeNull()
  })

  it('is asked for under a signature over time and body', () => {
    const one = signatureOf('secret', 1, 'body')
    expect(one).toMatch(/^v1=[0-9a-f]{64}$/)
    expect(signatureOf('secret', 2, 'body')).not.toBe(one)
    expect(signatureOf('secret', 1, 'bodY')).not.toBe(one)
    expect(signatureOf('Secret', 1, 'body')).not.toBe(one)
  })
})
