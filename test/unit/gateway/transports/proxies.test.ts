import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clientAddress, readProxyLine } from '../../../../gateway/transports/proxies.ts'
import { isNetwork, networksOf } from '../../../../infra/networks.ts'

const trusted = networksOf(['10.0.0.0/8', '192.0.2.1', 'fd00::/8'])

describe('an address behind proxies', () => {
  test.each([
    ['203.0.113.9', '198.51.100.7', '203.0.113.9', 'nobody forges it past a peer that is not trusted'],
    ['10.0.0.1', '198.51.100.7', '198.51.100.7', 'a trusted peer says it'],
    [
      '10.0.0.1',
      '6.6.6.6, 198.51.100.7',
      '198.51.100.7',
      'what a client wrote stands to the left and is passed over',
    ],
    ['10.0.0.1', '198.51.100.7, 192.0.2.1', '198.51.100.7', 'trusted proxies in a row'],
    ['10.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.2', 'all are trusted: the farthest'],
    ['10.0.0.1', '', '10.0.0.1', 'nothing is said'],
    ['10.0.0.1', 'unknown', '10.0.0.1', 'what is no address is not believed'],
    ['::ffff:10.0.0.1', '198.51.100.7', '198.51.100.7', 'IPv4 in IPv6 is IPv4'],
    ['0000:0000:0000:0000:0000:ffff:0a00:0001', '2001:0db8::0001', '2001:db8::1', 'spelt out, too'],
    ['fd00::5', '198.51.100.7', '198.51.100.7', 'a network of IPv6'],
  ])('peer %s, header "%s": %s (%s)', (peer, header, address) => {
    expect(clientAddress(peer, header, trusted)).toBe(address)
  })

  test('networks are told from other texts', () => {
    for (const good of ['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8']) expect(isNetwork(good)).toBe(true)
    for (const bad of ['', 'x', '10.0.0.0/33', '10.0.0.0/8/8', '::1/129', '10.0.0/8', '10.0.0.1/'])
      expect(isNetwork(bad)).toBe(false)
  })
})

const v2 = (command: number, family: number, body: Buffer): Buffer => {
  const head = Buffer.alloc(16)
  Buffer.from('0d0a0d0a000d0a515549540a', 'hex').copy(head)
  head.writeUInt8(command, 12)
  head.writeUInt8(family, 13)
  head.writeUInt16BE(body.length, 14)
  return Buffer.concat([head, body])
}
const v1 = (line: string): Buffer => Buffer.from(line, 'latin1')
const four = Buffer.from('c6336407' + '0a000001' + '1f902396', 'hex')
const six = Buffer.concat([Buffer.from('20010db8000000000000000000000001', 'hex'), Buffer.alloc(20)])

describe('a PROXY line', () => {
  test.each<[string, Buffer, string | null]>([
    ['TCP4', v1('PROXY TCP4 198.51.100.7 10.0.0.1 56324 9110\r\n'), '198.51.100.7'],
    ['TCP6', v1('PROXY TCP6 2001:db8::1 fd00::1 56324 9110\r\n'), '2001:db8::1'],
    ['UNKNOWN', v1('PROXY UNKNOWN\r\n'), null],
    ['version 2, IPv4', v2(0x21, 0x11, four), '198.51.100.7'],
    ['version 2, IPv6', v2(0x21, 0x21, six), '2001:db8:0:0:0:0:0:1'],
    ['version 2, local', v2(0x20, 0x00, Buffer.alloc(0)), null],
  ])('%s is read whole, and at every cut asks for more', (_name, line, address) => {
    const rest = Buffer.from([0, 0, 0, 28])
    expect(readProxyLine(Buffer.concat([line, rest]))).toEqual({ kind: 'line', address, bytes: line.length })
    for (let cut = 0; cut < line.length; cut++)
      expect(readProxyLine(line.subarray(0, cut))).toEqual({ kind: 'more' })
  })

  test.each<[string, Buffer]>([
    ['without an end', Buffer.alloc(107, 'P')],
    ['of another word', v1('PROXX TCP4 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['with another family', v1('PROXY TCP4 2001:db8::1 fd00::1 1 2\r\n')],
    ['without an address', v1('PROXY TCP4\r\n')],
    ['of another signature', Buffer.from('0d0a0d0b', 'hex')],
    ['of version 1 in the clothes of 2', v2(0x11, 0x11, four)],
    ['with a short body', v2(0x21, 0x11, Buffer.alloc(4))],
    ['with a huge body', v2(0x21, 0x11, Buffer.alloc(537))],
  ])('%s is bad', (_name, line) => {
    expect(readProxyLine(line)).toEqual({ kind: 'bad' })
  })

  test('a frame is none', () => {
    expect(readProxyLine(Buffer.from([0, 0, 0, 28]))).toEqual({ kind: 'none' })
  })

  test('whatever comes, it answers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const { kind } = readProxyLine(Buffer.from(bytes))
        expect(['more', 'bad', 'line', 'none']).toContain(kind)
      }),
    )
  })
})
