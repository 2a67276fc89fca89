import { describe, expect, it } from 'vitest'
import { contentProblem, contentTypes } from '../../../gateway/content.ts'

const url = 'https://media.example.com/a.bin?token=x'
const fits: [string, object][] = [
  ['text', { text: 'hi' }],
  ['text', { text: 'hi', lang: 'en', style: { bold: true } }],
  ['image', { url, width: 640, height: 480, size: 1_000 }],
  ['image', { url, width: 640, height: 480, size: 1_000, thumbnail: url }],
  ['voice', { url, durationMs: 3_200, size: 9_000 }],
  ['video', { url, durationMs: 60_000, width: 1_920, height: 1_080, size: 9_000_000 }],
  ['file', { url, name: 'Bericht.pdf', size: 0, mime: 'application/pdf' }],
  ['location', { latitude: -90, longitude: 180, name: 'Pol', address: '—' }],
  ['card', { userId: 'bob' }],
  ['card', { groupId: 'abc', name: 'Team' }],
  ['custom', {}],
  ['custom', { kind: 'poll', options: [{ text: 'a' }] }],
]
const wrong: [string, string, unknown][] = [
  ['text that is empty', 'text', { text: '' }],
  ['text with half a character', 'text', { text: '\ud800' }],
  ['text as a number', 'text', { text: 5 }],
  ['no object', 'text', ['hi']],
  ['nothing', 'custom', null],
  ['a list as custom', 'custom', []],
  ['an image without its size', 'image', { url, width: 1, height: 1 }],
  ['an image of no width', 'image', { url, width: 0, height: 1, size: 1 }],
  ['an image of half a pixel', 'image', { url, width: 1.5, height: 1, size: 1 }],
  ['a size beyond what numbers hold', 'voice', { url, durationMs: 1, size: 2 ** 53 }],
  ['a size without end', 'voice', { url, durationMs: 1, size: Number.POSITIVE_INFINITY }],
  ['a latitude beyond the pole', 'location', { latitude: 90.1, longitude: 0 }],
  ['a longitude as text', 'location', { latitude: 0, longitude: '0' }],
  ['a card of nobody', 'card', {}],
  ['a card of two', 'card', { userId: 'bob', groupId: 'g' }],
  ['a card of an id that is none', 'card', { userId: 'a b' }],
  ['a file without a name', 'file', { url, name: '', size: 1 }],
  ['an inherited name', 'constructor', {}],
  ['an unknown type', 'virus', {}],
]
const urls = [
  'javascript:alert(1)',
  'data:text/html,x',
  'ftp://example.com/x',
  '//example.com/x',
  '/x',
  'https://',
  'https://user:secret@example.com/',
  'https://example.com/a b',
  'ht\ntps://example.com/',
  `https://example.com/${'x'.repeat(5_000)}`,
  '',
]

describe('a content', () => {
  it.each(fits)('of type %s with its fields is taken: %j', (type, value) => {
    expect(contentProblem(type, value)).toBeNull()
  })

  it('every type is among those shown to fit', () => {
    expect(new Set(fits.map(([type]) => type))).toEqual(new Set(contentTypes))
  })

  it.each(wrong)('%s is refused and said', (_, type, value) => {
    expect(contentProblem(type, value)).toMatch(/\w/)
  })

  it.each(urls)('points to the web only: not to %j', (at) => {
    expect(contentProblem('file', { url: at, name: 'x', size: 1 })).toMatch(/"url": Expected an http/)
  })

  it('that is refused is not repeated in the answer', () => {
    for (const [, type, value] of wrong)
      expect(contentProblem(type, value)).not.toMatch(/90\.1|a b|alert|9007199254740992/)
  })
})
