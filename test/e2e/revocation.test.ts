import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { until } from '../support/person.ts'
import { type ExtraGateway, type Platform, startPlatform } from '../support/platform.ts'

const run = promisify(execFile)
let platform: Platform
let second: ExtraGateway

beforeAll(async () => {
  platform = await startPlatform()
  second = await platform.addGateway('gw-2')
})
afterAll(async () => {
  expect(await platform?.stop()).toBe(0)
})

const revoke = async (user: string): Promise<string> => {
  const env = { ...process.env, LONGWIRE_DATA: platform.dataDir }
  const cwd = path.resolve(import.meta.dirname, '../..')
  return (await run(process.execPath, ['infra/token.ts', user, '--revoke'], { cwd, env })).stdout.trim()
}

test('one command ends a user everywhere; who gets a new token is back by himself, and nobody else notices', async () => {
  const urls = [platform.ws, second.ws]
  const old = await platform.token('alice')
  const ended: string[] = []
  const state = ({ state, code }: { state: string; code: string | null }) => {
    if (state === 'closed') ended.push(code ?? '')
  }
  await Promise.all(urls.map((url, i) => connect({ url, token: old, deviceId: `old-${i}`, on: { state } })))
  const states: string[] = []
  const renewing = await connect({
    url: second.ws,
    token: () => platform.token('alice'),
    deviceId: 'new',
    on: { state: ({ state }) => void states.push(state) },
  })
  const bob = await connect({ url: platform.ws, token: await platform.token('bob') })
  // A token is as old as the second in which it was issued.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await revoke('alice')).toMatch(/^revoked: tokens of alice that were issued before 20\S+Z$/)
  await until('both are out', () => ended.length === 2)
  expect(ended).toEqual(['token_revoked', 'token_revoked'])
  expect(bob.state).toBe('online')
  await expect(connect({ url: second.ws, token: old })).rejects.toMatchObject({ code: 'token_revoked' })
  await until(
    'the one that asks for a new token is back',
    () => states.includes('waiting') && renewing.state === 'online',
  )
  await Promise.all([renewing.close(), bob.close()])
})
