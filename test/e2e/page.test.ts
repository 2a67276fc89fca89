import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { badProxy } from '../support/bad-proxy.ts'
import { launchBrowser } from '../support/browser.ts'
import {
  badge,
  choose,
  message,
  messageMenu,
  openChat,
  openRow,
  pageLogin,
  row,
  say,
  shows,
} from '../support/page.ts'
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

const logIn = async (user: string): Promise<Page> =>
  pageLogin(browser, platform.page, user, await platform.token(user), problems)
/** Leaves the windows: the bundled browser is one process, which now and then ends with a window that is closed. */
const leave = (...pages: Page[]) => Promise.all(pages.map((page) => page.goto('about:blank')))

const soon = { timeout: 10_000 }

describe('two windows at the address of the gateway', () => {
  test('become friends: a request is answered in the other window, then each sees that the other is online', async () => {
    const [anna, bert] = await Promise.all([logIn('anna'), logIn('bert')])
    await choose(anna, 'New', 'Add friend')
    await anna.fill('dialog input[name=user]', 'bert')
    await anna.fill('dialog input[name=note]', 'from the fair')
    await anna.click('dialog button[type=submit]')
    await bert.getByRole('tab', { name: 'People' }).click()
    await bert.locator('.notice', { hasText: 'anna asks to be friends: “from the fair”' }).waitFor()
    await bert.getByRole('button', { name: 'Accept' }).click()
    await bert.locator('[data-user=anna] .dot').waitFor()
    await anna.getByRole('tab', { name: 'People' }).click()
    await anna.locator('[data-user=bert] .dot').waitFor()

    await choose(bert, 'Menu', 'Profile')
    await bert.fill('dialog input[name=name]', 'Bert Bell')
    await bert.click('dialog button[type=submit]')
    await anna.locator('[data-user=bert] .title', { hasText: 'Bert Bell' }).waitFor()
    await anna.locator('[data-user=bert]').click()
    await anna.locator('.thread .bar', { hasText: 'Bert Bell' }).waitFor()
    await anna.fill('textarea[aria-label=Message]', 'hello')
    await bert.getByRole('tab', { name: 'Chats' }).click()
    await anna.press('textarea[aria-label=Message]', 'Enter')
    await openRow(bert, 'anna')
    await bert.fill('textarea[aria-label=Message]', 'hm')
    await anna.locator('.thread .state.typing', { hasText: 'typing…' }).waitFor()
    await anna.locator('.receipt.read').waitFor()

    await bert.getByTitle('About', { exact: true }).click()
    await bert.locator('.panel').getByRole('button', { name: 'Block' }).click()
    await bert.click('dialog button[type=submit]')
    await bert.locator('.notice', { hasText: 'You have blocked anna.' }).waitFor()
    await say(anna, 'are you there?')
    await anna.locator('.failure', { hasText: 'Not sent: The other side does not take this.' }).waitFor()
    await leave(anna, bert)
  })

  test('chat in single chat: replies, reactions, edits and recalls are seen in the other window, and text is only text', async () => {
    const [alice, bob] = await Promise.all([logIn('alice'), logIn('bob')])
    await openChat(alice, 'bob')
    await say(alice, 'first')
    await say(alice, '<img src=x onerror=alert(1)>')
    await badge(bob, 'alice').filter({ hasText: '2' }).waitFor()
    await openRow(bob, 'alice')
    await shows(bob, '<img src=x onerror=alert(1)>')
    expect(await bob.locator('.message img').count()).toBe(0)
    await badge(bob, 'alice').waitFor({ state: 'detached' })

    await messageMenu(bob, 'first', 'Reply')
    await say(bob, 'an answer')
    await message(alice, 'an answer').locator('.quote', { hasText: 'first' }).waitFor()
    await message(alice, 'an answer').click({ button: 'right' })
    await alice.getByTitle('React with 👍').click()
    await message(bob, 'an answer').locator('.chip', { hasText: '👍1' }).click()
    await message(alice, 'an answer').locator('.chip.own', { hasText: '👍2' }).click()
    await message(bob, 'an answer').locator('.chip.own', { hasText: '👍1' }).waitFor()

    await messageMenu(alice, 'first', 'Edit')
    await say(alice, 'the first of all')
    await message(bob, 'the first of all').locator('.edited').first().waitFor()
    await message(bob, 'an answer').locator('.quote', { hasText: 'the first of all' }).waitFor()
    await messageMenu(alice, '<img', 'Recall')
    await bob.locator('.message.recalled', { hasText: 'Message recalled' }).waitFor()
    await messageMenu(bob, 'an answer', 'Pin for all')
    await alice.locator('.pinned-bar', { hasText: 'an answer' }).waitFor()
    await messageMenu(bob, 'an answer', 'Recall')
    await row(alice, 'bob').locator('.preview', { hasText: 'Message recalled' }).waitFor()
    await alice.locator('.pinned-bar').waitFor({ state: 'hidden' })
    expect(await alice.locator('.message .text').allTextContents()).toEqual([
      'the first of all',
      'Message recalled',
      'Message recalled',
    ])
    await leave(alice, bob)
  })

  test('hold the same settings: draft, pin and mute survive a reload, and a deleted conversation comes back with its next message', async () => {
    const sender = await connect({ url: platform.ws, token: await platform.token('karl') })
    await sender.send({ to: 'lena', text: 'hello Lena' })
    const other = await connect({ url: platform.ws, token: await platform.token('mona') })
    await other.send({ to: 'lena', text: 'hello from Mona' })
    const here = await logIn('lena')
    const there = await logIn('lena')
    await openRow(here, 'karl')
    await here.fill('textarea[aria-label=Message]', 'half a thought')
    await row(there, 'karl').locator('.preview', { hasText: 'Draft: half a thought' }).waitFor()
    await rowMenu(here, 'karl', 'Pin to the top')
    await rowMenu(here, 'karl', 'Mute')
    await there.locator('.row-box:first-child .row.muted', { hasText: 'karl' }).waitFor()
    await choose(here, 'Menu', 'Settings')
    await here.selectOption('dialog select[name=theme]', 'dark')
    await there.locator('html[data-theme=dark]').waitFor()
    await there.reload()
    await there.locator('.row-box:first-child .row.muted', { hasText: 'Draft: half a thought' }).waitFor()
    await there.locator('html[data-theme=dark]').waitFor()
    await openRow(there, 'karl')
    await expect.poll(() => there.inputValue('textarea[aria-label=Message]'), soon).toBe('half a thought')

    await rowMenu(there, 'mona', 'Delete from the list')
    await here.keyboard.press('Escape')
    await row(here, 'mona').waitFor({ state: 'detached' })
    await other.send({ to: 'lena', text: 'once more' })
    await badge(here, 'mona').filter({ hasText: '1' }).waitFor()
    await leave(here, there)
    await Promise.all([sender.close(), other.close()])
  })

  async function rowMenu(page: Page, title: string, item: string): Promise<void> {
    await row(page, title).click({ button: 'right' })
    await page.getByRole('menuitem', { name: item }).click()
  }

  test('chat in a group: roles, mutes and mentions do what they say, and nobody is offered what the role forbids', async () => {
    const [dora, emil] = await Promise.all([logIn('dora'), logIn('emil')])
    await choose(dora, 'New', 'New group')
    await dora.fill('dialog input[name=name]', 'The crew')
    await dora.fill('dialog textarea[name=members]', 'emil, fred')
    await dora.click('dialog button[type=submit]')
    await dora.locator('.thread strong', { hasText: 'The crew' }).waitFor()
    await say(dora, 'welcome aboard')
    await dora.fill('textarea[aria-label=Message]', '')
    await dora.locator('textarea[aria-label=Message]').pressSequentially('look here @em')
    await dora.locator('.completion li', { hasText: 'emil' }).waitFor()
    await dora.keyboard.press('Enter')
    await dora.keyboard.press('Enter')
    await say(dora, 'and @all of you')
    await badge(emil, 'The crew', 'count').filter({ hasText: '3' }).waitFor()
    await badge(emil, 'The crew', 'at').filter({ hasText: /^@$/ }).waitFor()
    await badge(emil, 'The crew', 'at').filter({ hasText: '@all' }).waitFor()
    await openRow(emil, 'The crew')
    await emil.locator('.divider', { hasText: '3 unread messages' }).waitFor()
    await message(emil, 'look here').locator('.mention.of-me', { hasText: '@emil' }).waitFor()
    await dora.locator('.read-by', { hasText: 'Read by 1' }).click({ timeout: 20_000 })
    await dora.locator('dialog .members', { hasText: 'emil' }).waitFor()
    await dora.keyboard.press('Escape')

    await emil.getByTitle('About', { exact: true }).click()
    await emil.locator('.members [data-member=fred]').waitFor()
    expect(await emil.locator('.panel').getByTitle('Edit group').count()).toBe(0)
    await memberMenu(emil, 'fred')
    expect(await emil.getByRole('menuitem').allTextContents()).toEqual(['Details'])
    await emil.keyboard.press('Escape')
    await dora.getByTitle('About', { exact: true }).click()
    await memberMenu(dora, 'emil', 'Mute for 10 minutes')
    await emil.locator('.write-bar', { hasText: 'You are muted here' }).waitFor()
    await dora.locator('.members [data-member=emil] .tag', { hasText: 'Muted' }).waitFor()
    await memberMenu(dora, 'emil', 'Unmute')
    await dora.locator('.members [data-member=emil] .tag').waitFor({ state: 'detached' })
    await memberMenu(dora, 'emil', 'Make admin')
    await emil.locator('.panel').getByTitle('Edit group').waitFor()
    await memberMenu(emil, 'fred', 'Remove from group')
    await dora.locator('.note', { hasText: 'emil removed fred' }).waitFor()
    await dora.locator('.members [data-member=fred]').waitFor({ state: 'detached' })
    await dora.fill('.panel input[name=add]', 'gina')
    await dora.locator('.panel .add button').click()
    await emil.locator('.members [data-member=gina]').waitFor()
    await leave(dora, emil)
  })

  async function memberMenu(page: Page, member: string, item?: string): Promise<void> {
    await page.locator(`.members [data-member=${member}]`).getByTitle('Member menu').click()
    if (item) await page.getByRole('menuitem', { name: item }).click()
  }

  test('let somebody in who asks, silence all but admins, and dissolve the group', async () => {
    const owner = await connect({ url: platform.ws, token: await platform.token('olga') })
    const { conversationId } = await owner.createGroup({ name: 'Book club', members: ['paul'] })
    const [olga, quin] = await Promise.all([logIn('olga'), logIn('quin')])
    await choose(quin, 'New', 'Join a group')
    await quin.fill('dialog input[name=group]', conversationId)
    await quin.click('dialog button[type=submit]')
    await quin.fill('.panel input[name=note]', 'I read a lot')
    await quin.getByRole('button', { name: 'Ask to join' }).click()
    await quin.locator('.panel', { hasText: 'an admin has not answered yet' }).waitFor()
    await openRow(olga, 'Book club')
    await olga.getByTitle('About', { exact: true }).click()
    await olga.locator('.notice', { hasText: 'quin asks to join: “I read a lot”' }).waitFor()
    await olga.getByRole('button', { name: 'Let in' }).click()
    await openRow(quin, 'Book club')
    await olga.locator('.panel .switch-row', { hasText: 'Only owner and admins may write' }).click()
    await quin.locator('.write-bar', { hasText: 'Only owner and admins may write now.' }).waitFor()
    await olga.getByRole('button', { name: 'Dissolve group' }).click()
    await olga.click('dialog button[type=submit]')
    await quin.locator('.write-bar', { hasText: 'The group was dissolved.' }).waitFor()
    await owner.close()
    await leave(olga, quin)
  })

  test('page back through history and search it, and an unread count survives a reload until it is read elsewhere', async () => {
    const sender = await connect({ url: platform.ws, token: await platform.token('hans') })
    for (let i = 1; i <= 120; i++)
      await sender.send({ to: 'ines', text: i === 7 ? 'a rare 苹果' : `line ${i}` })
    const here = await logIn('ines')
    const there = await logIn('ines')
    await badge(here, 'hans').filter({ hasText: '99+' }).waitFor()
    await here.reload()
    await badge(here, 'hans').filter({ hasText: '99+' }).waitFor()
    await openRow(here, 'hans')
    await shows(here, 'line 120')
    await badge(there, 'hans').waitFor({ state: 'detached' })

    await there.fill('.side .search-box', '苹果')
    await there.locator('.hit', { hasText: 'a rare 苹果' }).click({ timeout: 20_000 })
    await message(there, 'a rare 苹果').waitFor()
    expect(await there.locator('[data-seq="120"]').count()).toBe(0)
    await there.getByTitle('To the newest').click()
    await shows(there, 'line 120')

    while ((await here.locator('[data-seq="1"]').count()) === 0)
      await here.locator('.messages').evaluate((messages) => {
        messages.scrollTop = 0
      })
    const lines = await here.locator('.message .text').allTextContents()
    expect(lines).toEqual(Array.from({ length: 120 }, (_, i) => (i === 6 ? 'a rare 苹果' : `line ${i + 1}`)))
    await sender.close()
    await leave(here, there)
  })

  test('load nothing from other sites unasked, and link only to addresses', async () => {
    const sender = await connect({ url: platform.ws, token: await platform.token('rosa') })
    const image = { type: 'image', url: 'http://pictures.invalid/a.png', width: 40, height: 30, size: 1 }
    await sender.send({ to: 'sven', content: image })
    await sender.send({ to: 'sven', content: { type: 'custom', url: 'javascript:alert(1)' } })
    await sender.send({ to: 'sven', text: 'see https://example.invalid/x, or javascript:alert(1)' })
    const page = await logIn('sven')
    const asked: string[] = []
    page.on('request', (request) => void asked.push(request.url()))
    await openRow(page, 'rosa')
    await shows(page, 'see https://example.invalid/x')
    await page.locator('.picture', { hasText: 'Show picture' }).waitFor()
    expect(asked.filter((url) => !url.startsWith(platform.page))).toEqual([])
    const links = await page
      .locator('.message a')
      .evaluateAll((all) => all.map((one) => [one.getAttribute('href'), one.getAttribute('rel')]))
    expect(links).toEqual([['https://example.invalid/x', 'noopener noreferrer']])
    await sender.close()
    await leave(page)
  })

  test('log in by a token in the fragment, which leaves the address at once; a bad one says why', async () => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${platform.page}/?user=jana#token=${await platform.token('jana')}`)
    await page.waitForSelector('.state[data-state=online]')
    expect(page.url()).toBe(`${platform.page}/?user=jana`)
    await choose(page, 'Menu', 'Log out')
    await page.fill('input[name=user]', 'jana')
    await page.fill('input[name=token]', 'not.a.token')
    await page.click('button[type=submit]')
    await page.locator('.error', { hasText: 'The token is not valid.' }).waitFor()
    await leave(page)
  })

  test('met no failure, nor was anything blocked', () => {
    expect(problems).toEqual([])
  })
})

describe('a window behind a proxy that lets no WebSocket through', () => {
  test('talks all the same, both ways', async () => {
    const proxy = await badProxy(Number(new URL(platform.page).port))
    proxy.blockUpgrades(true)
    // That its WebSockets fail is said on the console.
    const expected: string[] = []
    const [walled, far] = ['walled', 'far']
    const friend = await connect({ url: platform.ws, token: await platform.token(far), deviceId: 'd1' })
    const heard: string[] = []
    friend.on('message', ({ content }) => void heard.push(content?.text ?? ''))
    const address = `http://localhost:${proxy.port}`
    const page = await pageLogin(browser, address, walled, await platform.token(walled), expected)
    await openChat(page, far)
    await say(page, 'through the wall')
    await expect.poll(() => heard, soon).toEqual(['through the wall'])
    await friend.send({ to: walled, text: 'and back' })
    await shows(page, 'and back')
    expect(proxy.counts).toMatchObject({ upgraded: 0 })
    expect(proxy.counts.refused).toBeGreaterThanOrEqual(2)
    await leave(page)
    await friend.close()
    await proxy.close()
  })
})
