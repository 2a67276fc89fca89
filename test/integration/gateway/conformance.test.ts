/** The black-box conformance suite against all roles in one process. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { mintToken } from '../../../gateway/tokens/mint.ts'
import { cases, conformance, failuresIn, table } from '../../conformance/run.ts'
import { type Member, type Role, roles } from '../../conformance/stage.ts'
import { omtpDeflated, omtpJson, omtpProtobuf, omtpTars, omtpXml } from '../../conformance/wires/omtp.ts'
import { longPolling, shortPolling } from '../../conformance/wires/polling.ts'
import { webSocketAvro, webSocketJson } from '../../conformance/wires/websocket.ts'
import type { Frame, Wire } from '../../conformance/wires/wire.ts'
import { secret } from '../../support/gateway.ts'
import { type Pipeline, startPipeline } from '../../support/pipeline.ts'

let world: Pipeline
beforeAll(async () => {
  world = await startPipeline(1)
})
afterAll(() => world?.stop())

const cast = async (transport: string) => {
  const member = async (role: Role): Promise<[Role, Member]> => {
    const userId = `${transport}-${role}`
    return [role, { userId, token: await mintToken(secret, userId, 3_600) }]
  }
  return Object.fromEntries(await Promise.all(roles.map(member))) as Record<Role, Member>
}
const addresses = () => {
  const [url = ''] = world.urls
  return { url, omtp: world.omtp[0] as string, poll: url.replace(/^ws/, 'http').replace(/ws$/, 'poll') }
}

/** A server with a defect, as a client sees it. */
const spoilt = (wire: Wire, spoil: (frame: Frame) => Frame | null): Wire => ({
  name: `${wire.name}-spoilt`,
  open: (handlers) =>
    wire.open({
      ...handlers,
      frame(frame) {
        const seen = spoil(frame)
        if (seen) handlers.frame(seen)
      },
    }),
})

it('a server that leaves out, changes or doubles something is caught', async () => {
  const { url } = addresses()
  const right = webSocketJson(url)
  const wrong = spoilt(webSocketJson(url), (frame) => {
    if (frame.type === 'userTyping') return { ...frame, userId: 'somebody' }
    if (frame.type === 'committed' && frame.repeat === true) return { ...frame, repeat: false }
    return frame
  })
  const results = await conformance([right, wrong], cast)
  const failed = results.filter(({ failures }) => failures[wrong.name] !== null).map(({ name }) => name)
  expect(results.every(({ failures }) => failures[right.name] === null)).toBe(true)
  expect(failed).toEqual([
    'the same packId again is answered as before, and told to nobody',
    'typing is shown to the other side',
  ])
})

it('one scripted conversation gives the same events on every transport', async () => {
  const { url, omtp, poll } = addresses()
  const wires = [
    ...[webSocketJson(url), webSocketAvro(url), longPolling(poll), shortPolling(poll)],
    ...[omtpJson(omtp), omtpDeflated(omtp), omtpProtobuf(omtp), omtpXml(omtp), omtpTars(omtp)],
  ]
  const other = (transport: string) => cast(`again-${transport}`)
  const results = await conformance(wires, other, { drain: () => void world.drain(0) })
  const names = wires.map(({ name }) => name)
  expect(failuresIn(results), table(results, names)).toBe(0)
  expect(results).toHaveLength(cases.length + 1)
})
