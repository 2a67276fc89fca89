import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { launchBrowser } from '../support/browser.ts'
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

/** A window of its own, logged in by hand. */
async function logIn(user: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  page.on('pageerror', (error) => problems.push(`${user}: ${error.message}`))
  page.on('console', (line) => {
    if (line.type() === 'error') problems.push(`${user}: ${line.text()}`)
  })
  await page.goto(`${platform.page}/?user=${user}`)
  await page.fill('input[name=token]', await platform.token(user))
  await page.click('button[type=submit]')
  await page.waitForSelector('.state[data-state=online]')
  return page
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill('textarea[aria-label=Message]', text)
  await page.press('textarea[aria-label=Message]', 'Enter')
}
const shows = (page: Page, text: string) =>
  page.locator('.message:not(.pending) .bubble', { hasText: text }).first().waitFor()
const badge = (page: Page, title: string) => page.locator('.row', { hasText: title }).locator('.badge')
const openRow = (page: Page, title: string) => page.locator('.row', { hasText: title }).click()

async function startChat(page: Page, user: string): Promise<void> {
  await page.click('button[title="New chat"]')
  await page.fill('dialog input[name=user]', user)
  await page.click('dialog button[type=submit]')
}

describe('two windows at the address of the gateway', () => {
  test('chat in single chat: unread is counted, cleared by opening, and text is only text', async () => {
    const alice = await logIn('alice')
    const bob = await logIn('bob')
    await startChat(alice, 'bob')
    await say(alice, 'first')
    await say(alice, '<img src=x onerror=alert(1)>')
    await badge(bob, 'alice').filter({ hasText: '2' }).waitFor()
    await openRow(bob, 'alice')
    await shows(bob, '<img src=x onerror=alert(1)>')
    expect(await bob.locator('.message img').count()).toBe(0)
    await badge(bob, 'alice').waitFor({ state: 'detached' })
    await say(bob, 'an answer')
    await shows(alice, 'an answer')
    expect(await alice.locator('.message .bubble').allTextContents()).toEqual([
      'first',
      '<img src=x onerror=alert(1)>',
      'an answer',
    ])
    await alice.context().close()
    await bob.context().close()
  })

  test('chat in a group whose members come and go', async () => {
    const dora = await logIn('dora')
    const emil = await logIn('emil')
    await dora.click('button[title="New group"]')
    await dora.fill('dialog input[name=name]', 'The crew')
    await dora.fill('dialog textarea[name=members]', 'emil, fred')
    await dora.click('dialog button[type=submit]')
    await dora.locator('.thread strong', { hasText: 'The crew' }).waitFor()
    await say(dora, 'welcome aboard')
    await badge(emil, 'The crew').filter({ hasText: '1' }).waitFor()
    await openRow(emil, 'The crew')
    await shows(emil, 'welcome aboard')
    await say(emil, 'glad to be here')
    await shows(dora, 'glad to be here')

    await dora.click('button[title=Members]')
    await dora.locator('.members li', { hasText: 'fred' }).waitFor()
    await dora.fill('dialog input[name=add]', 'gina')
    await dora.click('dialog button[type=submit]')
    await dora.locator('.members li', { hasText: 'gina' }).waitFor()
    await dora.locator('.members li[data-member=fred] button').click()
    await dora.locator('.members li', { hasText: 'fred' }).waitFor({ state: 'detached' })
    await emil.locator('.note', { hasText: 'dora added gina' }).waitFor()
    await emil.locator('.note', { hasText: 'dora removed fred' }).waitFor()
    await dora.context().close()
    await emil.context().close()
  })

  test('pages back through history, and an unread count survives a reload until it is read elsewhere', async () => {
    const sender = await connect({ url: platform.ws, token: await platform.token('hans') })
    for (let i = 1; i <= 120; i++) await sender.send({ to: 'ines', text: `line ${i}` })
    const here = await logIn('ines')
    const there = await logIn('ines')
    await badge(here, 'hans').filter({ hasText: '99+' }).waitFor()
    await here.reload()
    await badge(here, 'hans').filter({ hasText: '99+' }).waitFor()
    await openRow(here, 'hans')
    await shows(here, 'line 120')
    await badge(there, 'hans').waitFor({ state: 'detached' })
    while ((await here.locator('[data-seq="1"]').count()) === 0)
      await here.locator('.messages').evaluate((messages) => {
        messages.scrollTop = 0
      })
    const lines = await here.locator('.message .bubble').allTextContents()
    expect(lines).toEqual(Array.from({ length: 120 }, (_, i) => `line ${i + 1}`))
    await sender.close()
    await here.context().close()
    await there.context().close()
  })

  test('a token in the fragment logs in and leaves the address at once; a bad one says why', async () => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${platform.page}/?user=jana#token=${await platform.token('jana')}`)
    await page.waitForSelector('.state[data-state=online]')
    expect(page.url()).toBe(`${platform.page}/?user=jana`)
    await page.click('button[title="Log out"]')
    await page.fill('input[name=user]', 'jana')
    await page.fill('input[name=token]', 'not.a.token')
    await page.click('button[type=submit]')
    await page.locator('.error', { hasText: 'The token is not valid.' }).waitFor()
    await page.context().close()
  })

  test('nothing failed in the windows, nor was anything blocked', () => {
    expect(problems).toEqual([])
  })
})
