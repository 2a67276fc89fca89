import { expect, test } from 'vitest'
import { originAllowed, originsOf } from '../../../gateway/origins.ts'

const listed = originsOf(['https://chat.example.com/page'])

test.each<[string, string, readonly string[] | null, string, boolean]>([
  // origin, host, allow-list, Sec-Fetch-Site
  ['', 'chat.example.com', null, '', true],
  ['', 'chat.example.com', null, 'same-origin', true],
  ['', 'chat.example.com', null, 'same-site', false],
  ['', 'chat.example.com', null, 'cross-site', false],
  ['', 'chat.example.com', null, 'none', false],
  ['', 'chat.example.com', listed, 'same-origin', true],
  ['', 'rebound.evil.com', listed, 'same-origin', false],
  ['', 'rebound.evil.com', listed, '', true],
  ['https://chat.example.com', 'chat.example.com', null, 'same-origin', true],
  ['https://evil.com', 'chat.example.com', null, 'same-origin', false],
  ['null', 'chat.example.com', null, 'same-origin', false],
  ['null', 'chat.example.com', listed, '', false],
  ['https://chat.example.com:8443', 'x', listed, '', false],
  ['https://CHAT.example.com', 'x', listed, '', false],
  ['https://chat.example.com', 'x', listed, 'cross-site', true],
])('origin "%s" at host %s, listed %j, site "%s": %s', (origin, host, allowed, site, may) => {
  expect(originAllowed(origin, host, allowed, site)).toBe(may)
})
