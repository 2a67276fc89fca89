import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import type { Right } from '../../gateway/tokens/verdict.ts'
import { launchBrowser } from '../support/browser.ts'
import { choose, openChat, openRow, pageLogin, row, say, shows } from '../support/page.ts'
import { type Platform, startPlatform } from '../support/platform.ts'

let platform: Platform
let browser: Browser
const problems: string[] = []

beforeAll(async () => {
  platform = await startPlatform()
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  expect(await platform?.stop()).toBe(0)
})

const logIn = async (user: string, rights: readonly Right[] = []): Promise<Page> =>
  pageLogin(browser, platform.page, user, await platform.mint(user, rights), problems)
const clientOf = async (user: string) => connect({ url: platform.ws, token: await platform.mint(user) })
const about = (page: Page) => page.getByTitle('About', { exact: true }).click()

describe('a page', () => {
  test('shows every kind of content, and sends those that need no look at an address', async () => {
    const sender = await clientOf('abe')
    const url = 'http://files.invalid/x'
    for (const content of [
      { type: 'image', url, width: 40, height: 30, size: 1, caption: 'a view' },
      { type: 'voice', url, durationMs: 61_000, size: 1 },
      { type: 'video', url, durationMs: 5_000, width: 40, height: 30, size: 1 },
      { type: 'file', url, name: 'plan.pdf', size: 2_048 },
      { type: 'location', latitude: 52.5, longitude: 13.4, name: 'The gate' },
      { type: 'card', userId: 'cleo' },
      { type: 'custom', kind: 'dice', value: 6 },
    ])
      await sender.send({ to: 'bea', content })
    const bea = await logIn('bea')
    await openRow(bea, 'abe')
    await bea.locator('.message .picture', { hasText: 'Show picture' }).waitFor()
    await bea.locator('.message .voice .duration', { hasText: '1:01' }).waitFor()
    await bea.locator('.message .video .duration', { hasText: '0:05' }).waitFor()
    await bea.locator('.message .attachment', { hasText: 'plan.pdf' }).waitFor()
    await bea.locator('.message .attachment', { hasText: 'The gate' }).waitFor()
    await bea.locator('.message', { hasText: 'cleo' }).waitFor()
    await bea.locator('.message', { hasText: 'dice' }).waitFor()

    await choose(bea, 'Attach', 'Location')
    await bea.fill('dialog input[name=name]', 'The bridge')
    await bea.fill('dialog input[name=latitude]', '48.1')
    await bea.fill('dialog input[name=longitude]', '11.5')
    await bea.click('dialog button[type=submit]')
    await choose(bea, 'Attach', 'File')
    await bea.fill('dialog input[name=url]', 'https://files.invalid/notes.txt')
    await bea.click('dialog button[type=submit]')
    await bea.locator('.message:not(.pending) .attachment', { hasText: 'notes.txt' }).waitFor()
    const page = await sender.history('p2p:abe:bea')
    expect(page.messages.slice(-2).map(({ content }) => content)).toEqual([
      { type: 'location', latitude: 48.1, longitude: 11.5, name: 'The bridge' },
      { type: 'file', url: 'https://files.invalid/notes.txt', name: 'notes.txt', size: 0 },
    ])
    await sender.close()
    await bea.goto('about:blank')
  })

  test('blocks and unblocks, refuses a friend, and knows a person by a remark', async () => {
    const stranger = await clientOf('dirk')
    await stranger.requestFriend('ella', 'please')
    const ella = await logIn('ella')
    await ella.getByRole('tab', { name: 'People' }).click()
    await ella.getByRole('button', { name: 'Refuse' }).click()
    await ella.locator('.notice', { hasText: 'dirk asks' }).waitFor({ state: 'detached' })
    await ella.getByRole('tab', { name: 'Chats' }).click()
    await openChat(ella, 'dirk')
    await say(ella, 'no thanks')
    await shows(ella, 'no thanks')
    await about(ella)
    await ella.locator('.panel').getByRole('button', { name: 'Remark' }).click()
    await ella.fill('dialog input', 'the pushy one')
    await ella.click('dialog button[type=submit]')
    await row(ella, 'the pushy one').waitFor()
    await ella.locator('.panel').getByRole('button', { name: 'Block' }).click()
    await ella.click('dialog button[type=submit]')
    const notice = ella.locator('.notice', { hasText: 'You have blocked' })
    await notice.waitFor()
    await expect(stranger.send({ to: 'ella', text: 'but why' })).rejects.toMatchObject({
      code: 'not_accepted',
    })
    await notice.getByRole('button', { name: 'Unblock' }).click()
    await notice.waitFor({ state: 'detached' })
    await stranger.send({ to: 'ella', text: 'hello again' })
    await shows(ella, 'hello again')
    await stranger.close()
    await ella.goto('about:blank')
  })

  test('hands a group over, says what is announced, and leaves', async () => {
    const heir = await clientOf('finn')
    const greta = await logIn('greta')
    await choose(greta, 'New', 'New group')
    await greta.fill('dialog input[name=name]', 'Allotment')
    await greta.fill('dialog textarea[name=members]', 'finn')
    await greta.click('dialog button[type=submit]')
    await greta.locator('.thread strong', { hasText: 'Allotment' }).waitFor()
    await about(greta)
    await greta.locator('.panel').getByTitle('Edit group').click()
    await greta.fill('dialog textarea[name=announcement]', 'Bring seeds')
    await greta.click('dialog button[type=submit]')
    await greta.locator('.panel .announcement', { hasText: 'Bring seeds' }).waitFor()
    await greta.locator('.note', { hasText: 'announced: Bring seeds' }).waitFor()
    await greta.locator('.members [data-member=finn]').getByTitle('Member menu').click()
    await greta.getByRole('menuitem', { name: 'Make owner' }).click()
    await greta.click('dialog button[type=submit]')
    await greta.getByRole('button', { name: 'Leave group' }).click()
    await greta.click('dialog button[type=submit]')
    await greta.locator('.write-bar', { hasText: 'You are not in this group.' }).waitFor()
    const [group] = await heir.conversations()
    expect((await heir.group(group?.conversationId ?? '')).role).toBe('owner')
    await heir.close()
    await greta.goto('about:blank')
  })

  test('observes with the right in its token, without counts, and its members know', async () => {
    const member = await clientOf('hal')
    const { conversationId } = await member.createGroup({ name: 'Watched', members: ['ivy'] })
    const plain = await logIn('jack')
    await plain.getByTitle('New', { exact: true }).click()
    expect(await plain.getByRole('menuitem', { name: 'Observe' }).count()).toBe(0)
    await plain.goto('about:blank')
    const kim = await logIn('kim', ['observe'])
    await choose(kim, 'New', 'Observe a conversation')
    await kim.fill('dialog input[name=conversation]', conversationId)
    await kim.click('dialog button[type=submit]')
    const notice = kim.locator('.notice', { hasText: 'You observe this conversation' })
    await notice.waitFor()
    await kim.locator('.write-bar', { hasText: 'Observers cannot write here.' }).waitFor()
    const { seq } = await member.send({ conversationId, text: 'are we alone?' })
    await shows(kim, 'are we alone?')
    await kim.locator('.note', { hasText: 'You began to observe' }).waitFor()
    expect((await member.members(conversationId)).members.map(({ userId }) => userId)).not.toContain('kim')
    await member.recall(conversationId, seq)
    await kim.locator('.message', { hasText: 'Message recalled' }).waitFor()
    await notice.getByRole('button', { name: 'Stop observing' }).click()
    await notice.waitFor({ state: 'detached' })
    await member.close()
    await kim.goto('about:blank')
  })

  test('met no failure, nor was anything blocked', () => {
    expect(problems).toEqual([])
  })
})
