import { describe, expect, test } from 'vitest'
import { candidatesFor, completionAt, mentionsIn, tokensOf } from '../../../web/state/mentions.ts'

const known = new Set(['bob', 'bob.b', 'carol_1'])
const isKnown = (id: string): boolean => known.has(id)

describe('mentions in a text', () => {
  test('are those that are known, each once, and @all apart', () => {
    expect(mentionsIn('@bob and @carol_1, @bob again, @nobody; @all', isKnown)).toEqual({
      mentions: ['bob', 'carol_1'],
      mentionAll: true,
    })
  })
  test('end before a full stop that is no part of the id', () => {
    expect(mentionsIn('ask @bob. Or @bob.b.', isKnown).mentions).toEqual(['bob', 'bob.b'])
  })
  test('do not begin inside a word, as in an address', () => {
    expect(mentionsIn('write to me@bob.b', isKnown)).toEqual({ mentions: [], mentionAll: false })
  })
  test('are found where they stand', () => {
    expect(tokensOf('hi @bob', isKnown)).toEqual([{ at: 3, id: 'bob' }])
  })
})

describe('completion', () => {
  test('is of the @ before the caret, and ends with a space', () => {
    expect(completionAt('hello @ca there', 9)).toEqual({ at: 6, query: 'ca' })
    expect(completionAt('hello @ca there', 15)).toBeNull()
    expect(completionAt('me@ca', 5)).toBeNull()
  })
  test('offers who begins with it before who only holds it, by id and by name', () => {
    const names: Record<string, string> = { u1: 'Anna', u2: 'Joanna', u3: 'Bert' }
    expect(candidatesFor('ann', ['u2', 'u1', 'u3'], (id) => names[id] ?? id, 5)).toEqual(['u1', 'u2'])
    expect(candidatesFor('u', ['u1', 'u2', 'u3'], (id) => id, 2)).toEqual(['u1', 'u2'])
  })
})
