/** The page as its users handle it. */
import type { Browser, Locator, Page } from 'playwright-core'

const WAIT_MS = 30_000

/** A window of its own, logged in by hand. What goes wrong in it is added to `problems`. */
export async function pageLogin(
  browser: Browser,
  address: string,
  user: string,
  token: string,
  problems: string[],
): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  page.setDefaultTimeout(WAIT_MS)
  page.on('pageerror', (error) => problems.push(`${user}: ${error.message}`))
  page.on('console', (line) => {
    if (line.type() === 'error') problems.push(`${user}: ${line.text()}`)
  })
  await page.goto(`${address}/?user=${user}`)
  await page.fill('input[name=token]', token)
  await page.click('button[type=submit]')
  await page.waitForSelector('.state[data-state=online]')
  return page
}

export async function say(page: Page, text: string): Promise<void> {
  await page.fill('textarea[aria-label=Message]', text)
  await page.press('textarea[aria-label=Message]', 'Enter')
}

/** One that is sent, by what it says. */
export const message = (page: Page, text: string): Locator =>
  page.locator('.message:not(.pending)').filter({ has: page.locator('.text', { hasText: text }) })
export const shows = (page: Page, text: string): Promise<void> => message(page, text).first().waitFor()
export const row = (page: Page, title: string): Locator =>
  page.locator('.conversations .row').filter({ has: page.locator('.title', { hasText: title }) })
export const badge = (page: Page, title: string, kind = 'count'): Locator =>
  row(page, title).locator(`.badge.${kind}`)
export const openRow = (page: Page, title: string): Promise<void> => row(page, title).click()

/** Opens a menu by its button and takes an entry. */
export async function choose(page: Page, button: string, item: string): Promise<void> {
  await page.getByTitle(button, { exact: true }).click()
  await page.getByRole('menuitem', { name: item }).click()
}
export async function messageMenu(page: Page, text: string, item: string): Promise<void> {
  await message(page, text).first().click({ button: 'right' })
  await page.getByRole('menuitem', { name: item }).click()
}
export async function openChat(page: Page, user: string): Promise<void> {
  await choose(page, 'New', 'New chat')
  await page.fill('dialog input[name=user]', user)
  await page.click('dialog button[type=submit]')
}
