import { describe, expect, test } from 'vitest'
import type { UserState } from '../../../../processors/state.ts'
import { limits } from '../../../../schemas/limits.ts'
import { block, setProfile, setSetting } from '../../../support/commands.ts'
import { by, given } from '../../../support/given.ts'

describe('settings', () => {
  test('are set and taken away in one’s own stream; the fold keeps no values', () => {
    const { scene, when } = given('u:a')
    when(by('a', setSetting('draft:p2p:a:b', 'half a sent'))).event('SettingSet', {
      key: 'draft:p2p:a:b',
      value: 'half a sent',
    })
    expect((scene.state().body as UserState).settings).toEqual(new Map([['draft:p2p:a:b', 24]]))
    when(by('a', setSetting('draft:p2p:a:b', null))).event('SettingSet', { value: null })
    expect(scene.state().body as UserState).toMatchObject({ settings: new Map(), settingsBytes: 0 })
  })

  test('are bounded together in bytes; what is replaced no longer counts', () => {
    const { when } = given('u:a')
    const value = 'x'.repeat(limits.settingValueBytesMax)
    const fit = Math.floor(limits.settingsBytesPerUserMax / (value.length + 3))
    for (let i = 0; i < fit; i++) when(by('a', setSetting(`${100 + i}`, value))).event('SettingSet')
    when(by('a', setSetting('more', value))).rejection('too_many')
    when(by('a', setSetting('100', 'short'))).event('SettingSet')
    when(by('a', setSetting('more', value))).event('SettingSet')
  })

  test('taking away what is not set changes nothing', () => {
    given('u:a')
      .when(by('a', setSetting('k', null)))
      .rejection('no_change')
  })

  test('are nobody else’s to set', () => {
    given('u:a')
      .when(by('b', setSetting('k', '1')))
      .rejection('not_allowed')
  })

  test.each(['', 'two words', 'é', 'k\n', 'x'.repeat(limits.settingKeyBytesMax + 1)])(
    '%j is no key',
    (key) => {
      given('u:a')
        .when(by('a', setSetting(key, '1')))
        .rejection('bad_content')
    },
  )

  test('a key and a value may be as long as their limits, in bytes', () => {
    const { when } = given('u:a')
    const key = 'x'.repeat(limits.settingKeyBytesMax)
    const value = 'é'.repeat(limits.settingValueBytesMax / 2)
    when(by('a', setSetting(key, value))).event('SettingSet', { key, value })
    when(by('a', setSetting(key, `${value}x`))).rejection('content_too_large')
  })
})

describe('a profile', () => {
  test('changes by the fields that are named', () => {
    const { envelope } = given('u:a')
      .when(by('a', setProfile({ name: 'A', region: '' })))
      .event('ProfileSet', { name: 'A', region: '', avatar: null })
    expect(envelope).toMatchObject({ seq: 1, ordinal: 0 })
  })

  test('with no field named does not change', () => {
    given('u:a')
      .when(by('a', setProfile({})))
      .rejection('no_change')
  })

  test('is nobody else’s to change', () => {
    given('u:a')
      .when(by('b', setProfile({ name: 'B' })))
      .rejection('not_allowed')
  })
})

test('a user stream takes nothing of conversations', () => {
  given('u:a').when(by('a', block())).rejection('unsupported')
})
