import { describe, expect, it } from 'vitest'
import { createAddresses, networkOf } from '../../../../gateway/transports/addresses.ts'
import { plainAddress } from '../../../../infra/networks.ts'

describe('an address', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['0000:0000:0000:0000:0000:ffff:0a01:0203', '10.1.2.3'],
    ['0000:0000:0000:0000:0000:0000:0000:0001', '::1'],
    ['2001:0db8:0000:0001:0000:0000:0000:0001', '2001:db8:0:1::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['', ''],
    ['no address', 'no address'],
  ])('has one text, however it is written: %s', (text, plain) => {
    expect(plainAddress(text)).toBe(plain)
  })

  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
    ['2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
  ])('of IPv6 counts as its /64, which one subscriber has all of: %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe('connections of an address', () => {
  it('are limited, all and those without a login, and neighbours are not', () => {
    const addresses = createAddresses(3, 2)
    const seats = [addresses.take('10.0.0.1'), addresses.take('::ffff:10.0.0.1')]
    expect(addresses.isFull('10.0.0.1')).toBe(true)
    expect(addresses.isFull('10.0.0.2')).toBe(false)
    for (const seat of seats) seat.entered()
    expect(addresses.isFull('10.0.0.1')).toBe(false)
    addresses.take('10.0.0.1').entered()
    expect(addresses.isFull('10.0.0.1')).toBe(true)
  })

  it('leave once, whatever is said twice', () => {
    const addresses = createAddresses(2, 2)
    const one = addresses.take('10.0.0.1')
    addresses.take('10.0.0.1')
    one.leave()
    one.leave()
    one.entered()
    expect(addresses.isFull('10.0.0.1')).toBe(false)
    addresses.take('10.0.0.1')
    expect(addresses.isFull('10.0.0.1')).toBe(true)
  })
})
