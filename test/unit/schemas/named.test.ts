import fc from 'fast-check'
import { expect, test } from 'vitest'
import { codec, fingerprintKey, seal } from '../../../schemas/avro.ts'
import { sealCommand, sealEnvelope } from '../../../schemas/codec.ts'
import { schemasNamed } from '../../../schemas/named.ts'
import { records } from '../../../schemas/records.ts'

const long = fc.integer({ min: -1, max: 2 ** 52 })
const text = fc.string({ unit: 'binary', maxLength: 300 })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(Buffer.from)
const some = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const reply = fc.option(fc.record({ gateway: text, boot: text, connection: text }))
const written = { schema: bytes(8), trace: fc.option(bytes(16)), reply, payload: some }
const envelopes = fc.record({
  kind: fc.constantFrom('event', 'rejection', 'repeat', 'claim'),
  generation: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  ...{ epoch: long, source: long, stream: text, seq: long, ordinal: long, time: long },
  ...written,
})
const commands = fc.record({ stream: text, packId: bytes(16), sender: text, device: text, ...written })

const keyOf = ({ fingerprint }: { fingerprint: Buffer }): string => fingerprintKey(fingerprint)

test('an event names the schema of its payload, whatever stands around it', () => {
  fc.assert(
    fc.property(envelopes, (envelope) => {
      const names = [keyOf(records.Envelope), fingerprintKey(envelope.schema)]
      const value = sealEnvelope(envelope as never)
      expect(schemasNamed(value)).toEqual(names)
      const delivery = {
        instance: 'a',
        partition: 70_000,
        counter: 3e9,
        event: value,
        stream: 's',
        headSeq: 1,
      }
      const rest = { recipients: ['u'], channel: true, observing: false, related: true, answer: null }
      const told = seal(records.Delivery, { ...delivery, ...rest, signal: null })
      expect(schemasNamed(told)).toEqual([keyOf(records.Delivery), ...names])
      const nothing = seal(records.Delivery, { ...delivery, ...rest, event: null, signal: null })
      expect(schemasNamed(nothing)).toEqual([keyOf(records.Delivery)])
    }),
  )
})

test('so does a command, and any other record names its own', () => {
  fc.assert(
    fc.property(commands, (command) => {
      const names = [keyOf(records.Command), fingerprintKey(command.schema)]
      expect(schemasNamed(sealCommand(command as never))).toEqual(names)
    }),
  )
  const other = codec({ type: 'record', name: 'Other', namespace: 'longwire', fields: [] } as const)
  expect(schemasNamed(seal(other, {}))).toEqual([keyOf(other)])
})

test('rubbish names nothing that it does not hold, and ends', () => {
  const header = Buffer.concat([Buffer.from([0xc3, 0x01]), records.Envelope.fingerprint])
  const commandHeader = Buffer.concat([Buffer.from([0xc3, 0x01]), records.Command.fingerprint])
  const deliveryHeader = Buffer.concat([Buffer.from([0xc3, 0x01]), records.Delivery.fingerprint])
  fc.assert(
    fc.property(some, (rest) => {
      for (const begin of [Buffer.alloc(0), header, commandHeader, deliveryHeader])
        for (const key of schemasNamed(Buffer.concat([begin, rest]))) expect(key).toHaveLength(8)
    }),
    { numRuns: 1_000 },
  )
})
