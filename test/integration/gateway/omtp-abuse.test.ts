import { connect } from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../infra/clock.ts'
import { limits } from '../../../schemas/limits.ts'
import { FLAG_DEFLATE, flagOf, frameBytes, payloadEncodings } from '../../../schemas/omtp/header.ts'
import { clientTypes } from '../../../schemas/omtp/types.ts'
import type { Clock } from '../../../schemas/ports.ts'
import { newPackId, startTestGateway, type TestGateway, until } from '../../support/gateway.ts'
import { clientBytes, idPackId } from '../../support/omtp.ts'
import { type OmtpClient, type OmtpClientOptions, omtpClient } from '../../support/omtp-client.ts'

/** Deadlines of frames that have begun end when the test says so; all others by themselves. */
const frameDeadlines = new Set<() => void>()
const clock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    if (ms !== limits.omtpFrameMsMax) return systemClock.after(ms, fn)
    frameDeadlines.add(fn)
    return () => frameDeadlines.delete(fn)
  },
}

let test: TestGateway
beforeAll(async () => {
  test = await startTestGateway({ gatewayId: 'gw-omtp-abuse', omtpClock: clock })
})
afterAll(() => test.stop())

const bare = (options: OmtpClientOptions = {}): Promise<OmtpClient> => omtpClient(test.omtp.port, options)
async function online(user = 'mallory', options: OmtpClientOptions = {}): Promise<OmtpClient> {
  const client = await bare(options)
  client.login(await test.token(user))
  await client.next('welcome')
  return client
}
/** Whether somebody else is served as if nothing had happened. */
async function stillServes(): Promise<void> {
  const client = await online('witness')
  client.send({ type: 'ping', id: 1 })
  await client.next('pong')
  client.close()
}
function withLength(length: number): Buffer {
  const bytes = clientBytes({ type: 'ping', id: 1 }, { encoding: 'json' })
  bytes.writeUInt32BE(length >>> 0, 0)
  return bytes
}

describe('a wrong Length', () => {
  it.each([
    ['zero', 0, 'bad_frame'],
    ['less than itself', 3, 'bad_frame'],
    ['less than a header', 27, 'bad_frame'],
    ['over the limit', 28 + limits.frameBytesMax + 1, 'frame_too_large'],
    ['huge', 0x7fff_ffff, 'frame_too_large'],
    ['negative, were it signed', -1, 'frame_too_large'],
    ['the least of signed numbers', -0x8000_0000, 'frame_too_large'],
  ])('that is %s ends the connection with its code, logged in or not', async (_name, length, code) => {
    for (const client of [await bare(), await online()]) {
      client.raw(withLength(length))
      expect(await client.next('bye')).toMatchObject({ code })
      await client.closed
    }
    await stillServes()
  })

  it('of the greatest frame there may be is taken', async () => {
    const client = await online()
    const filler = ' '.repeat(limits.frameBytesMax - 2)
    client.raw(frameBytes(clientTypes.ping, 0, idPackId(1), Buffer.from(`{${filler}}`)))
    expect(await client.next('pong')).toMatchObject({ id: 1 })
    client.close()
  })
})

describe('an unknown', () => {
  const ping = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = clientBytes({ type: 'ping', id: 7 }, { encoding: 'json' })
    change(bytes)
    return bytes
  }
  it.each<[string, (bytes: Buffer) => void]>([
    ['type', (bytes) => void bytes.writeUInt16BE(9_999, 4)],
    ['type, which is the server’s,', (bytes) => void bytes.writeUInt16BE(102, 4)],
    ['version', (bytes) => void bytes.writeUInt16BE(2, 6)],
    ['version 0', (bytes) => void bytes.writeUInt16BE(0, 6)],
    ['encoding', (bytes) => void bytes.writeUInt32BE(4, 8)],
    ['bit of the flag', (bytes) => void bytes.writeUInt32BE(0x20, 8)],
    ['high bit of the flag', (bytes) => void bytes.writeUInt32BE(0x8000_0000, 8)],
  ])('%s is answered by its code under its packId, and ends who is not logged in', async (_name, change) => {
    const client = await online()
    client.raw(ping(change))
    expect(await client.next('error')).toMatchObject({ id: 7, code: 'unsupported' })
    client.send({ type: 'ping', id: 8 })
    expect(await client.next('pong')).toMatchObject({ id: 8 })
    client.close()
    const stranger = await bare()
    stranger.raw(ping(change))
    expect(await stranger.next('bye')).toMatchObject({ code: 'unsupported' })
    await stranger.closed
  })
})

describe('a payload', () => {
  it.each(payloadEncodings)(
    'in %s that is cut short at any byte is refused, and the next frame is read',
    async (encoding) => {
      const client = await online('mallory', { encoding })
      const send = {
        type: 'dissolveGroup',
        packId: newPackId(),
        conversationId: `g:${'x'.repeat(40)}`,
      } as const
      const whole = clientBytes(send, { encoding })
      const before = (await test.commands()).length
      for (let length = 28; length < whole.length; length++) {
        const cut = Buffer.from(whole.subarray(0, length))
        cut.writeUInt32BE(length, 0)
        client.raw(cut)
        expect(await client.next('rejected')).toMatchObject({
          packId: send.packId,
          code: expect.stringMatching(/^bad_(frame|id)$/),
        })
      }
      client.send({ type: 'ping', id: 1 })
      await client.next('pong')
      expect((await test.commands()).length).toBe(before)
      client.close()
    },
  )

  it.each(payloadEncodings)('in %s with more behind its end is refused', async (encoding) => {
    const client = await online('mallory', { encoding })
    const whole = clientBytes({ type: 'ping', id: 3 }, { encoding })
    const longer = Buffer.concat([whole, Buffer.from('ff00', 'hex')])
    longer.writeUInt32BE(longer.length, 0)
    client.raw(longer)
    expect(await client.next('error')).toMatchObject({ id: 3, code: 'bad_frame' })
    client.close()
  })

  it('that swells beyond a frame when it is inflated ends the connection before it has swollen', async () => {
    const bomb = deflateRawSync(Buffer.alloc(60_000_000, ' '))
    expect(bomb.length).toBeLessThan(limits.frameBytesMax)
    for (const encoding of payloadEncodings) {
      const client = await online()
      const flag = flagOf(encoding, false) | FLAG_DEFLATE
      client.raw(frameBytes(clientTypes.ping, flag, idPackId(1), bomb))
      expect(await client.next('bye')).toMatchObject({ code: 'frame_too_large' })
      await client.closed
    }
    await stillServes()
  })

  it('that is no DEFLATE, or has more behind it, is refused', async () => {
    const client = await online()
    const junk = [
      Buffer.from('no deflate'),
      Buffer.concat([deflateRawSync(Buffer.from('{}')), Buffer.from('x')]),
    ]
    for (const payload of junk) {
      client.raw(frameBytes(clientTypes.ping, FLAG_DEFLATE, idPackId(1), payload))
      expect(await client.next('error')).toMatchObject({ id: 1, code: 'bad_frame' })
    }
    client.close()
  })
})

describe('a packId', () => {
  it('of a request that is still open is refused, and the request is answered all the same', async () => {
    const slow = await startTestGateway({ gatewayId: 'gw-omtp-slow', boot: 'boot00003' })
    const client = await omtpClient(slow.omtp.port)
    client.login(await slow.token('nora'))
    await client.next('welcome')
    // Both arrive in one turn; the first reads, which takes another.
    const heads = clientBytes({ type: 'heads', id: 5 }, { encoding: 'json' })
    client.raw(Buffer.concat([heads, heads]))
    expect(await client.next('error')).toMatchObject({ id: 5, code: 'pack_id_in_use' })
    expect(await client.next('headsResult')).toMatchObject({ id: 5 })
    client.close()
    await slow.stop()
  })

  it('that is nil names no request, and no command', async () => {
    const client = await online()
    client.send({ type: 'heads', id: 1 }, Buffer.alloc(16))
    expect(await client.next('error')).toMatchObject({ id: null, code: 'pack_id_invalid' })
    client.send({ type: 'createGroup', packId: '', name: 'x', members: ['bob'] }, Buffer.alloc(16))
    expect(await client.next('rejected')).toMatchObject({ code: 'pack_id_invalid' })
    client.close()
  })

  it('of a command must be a UUID of version 7', async () => {
    const client = await online()
    client.send({ type: 'createGroup', packId: '', name: 'x', members: ['bob'] }, idPackId(1))
    expect(await client.next('rejected')).toMatchObject({ code: 'pack_id_invalid' })
    client.close()
  })
})

describe('who is not logged in', () => {
  it('gets nothing done', async () => {
    for (const frame of [
      { type: 'heads', id: 1 },
      { type: 'createGroup', packId: newPackId(), name: 'x', members: ['bob'] },
      { type: 'ping', id: 1 },
    ]) {
      const client = await bare()
      client.send(frame)
      expect(await client.next('bye')).toMatchObject({ code: 'not_logged_in' })
      await client.closed
    }
  })

  it('is told so of a token that is not valid, under the packId of the login', async () => {
    const client = await bare({ encoding: 'xml' })
    const login = {
      type: 'login',
      token: 'x',
      deviceId: 'd',
      deviceType: 't',
      protocol: 1,
      heartbeatMs: null,
    }
    client.send(login, idPackId(3))
    const told = await client.nextTold('bye')
    expect(told).toMatchObject({ packId: idPackId(3), encoding: 'xml', frame: { code: 'token_invalid' } })
    await client.closed
  })

  it('is ended when no login comes', async () => {
    const client = await bare()
    expect(await client.next('bye')).toMatchObject({ code: 'login_timeout' })
    await client.closed
  })

  it('cannot log in twice', async () => {
    const client = await online()
    client.login(await test.token('other'))
    expect(await client.next('error')).toMatchObject({ code: 'already_logged_in' })
    client.close()
  })
})

describe('a frame that drips in', () => {
  it('byte by byte is ended at its deadline, whatever still drips', async () => {
    const client = await online()
    expect(frameDeadlines.size).toBe(0)
    const slow = withLength(28 + limits.frameBytesMax)
    for (const byte of slow.subarray(0, 40)) {
      client.raw(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => frameDeadlines.size === 1)
    for (const late of frameDeadlines) late()
    expect(await client.next('bye')).toMatchObject({ code: 'frame_timeout' })
    await client.closed
    frameDeadlines.clear()
  })

  it('and is completed has all the time again for the next', async () => {
    const client = await online()
    const ping = clientBytes({ type: 'ping', id: 1 }, { encoding: 'json' })
    client.raw(ping.subarray(0, 10))
    await until(() => frameDeadlines.size === 1)
    client.raw(ping.subarray(10))
    await client.next('pong')
    await until(() => frameDeadlines.size === 0)
    client.close()
  })
})

describe('bytes of another protocol', () => {
  it('are ended', async () => {
    for (const hello of [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
    ]) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(test.omtp.port, '127.0.0.1', () => socket.write(hello, 'latin1'))
        socket.on('data', () => {})
        socket.once('error', reject)
        socket.once('close', () => resolve())
      })
    }
    await stillServes()
  })
})
