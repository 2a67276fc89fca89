import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect } from '../../../client/index.ts'
import { payloadEncodings } from '../../../schemas/omtp/header.ts'
import {
  answerTo,
  eventBytes,
  messageSent,
  startTestGateway,
  type TestGateway,
} from '../../support/gateway.ts'

let test: TestGateway
beforeAll(async () => {
  test = await startTestGateway({ gatewayId: 'gw-omtp-sdk' })
})
afterAll(() => test.stop())

it.each(
  payloadEncodings.flatMap((encoding) => [false, true].map((compress) => [encoding, compress] as const)),
)('the SDK sends, reads and is told over omtp:// in %s, compressed: %s', async (encoding, compress) => {
  const sender = `ann-${encoding}-${compress}`
  const reader = `ben-${encoding}-${compress}`
  const url = `omtp://127.0.0.1:${test.omtp.port}`
  const omtp = { encoding, compress }
  const got: unknown[] = []
  let heard: () => void = () => {}
  const told = new Promise<void>((resolve) => {
    heard = resolve
  })
  const ann = await connect({ url, token: await test.token(sender), omtp })
  const ben = await connect({
    url: [url],
    token: await test.token(reader),
    omtp,
    on: {
      message({ seq, content }) {
        got.push({ seq, content })
        heard()
      },
    },
  })
  const text = `grüße 👋 ${'long '.repeat(300)}`
  const before = (await test.commands()).length
  const sending = ann.send({ to: reader, text })
  const command = (await test.commandsOnce(before + 1))[before]
  if (!command) throw new Error('no command')
  await test.deliver({
    stream: command.stream,
    event: eventBytes(
      { stream: command.stream, seq: 1, reply: command.reply ?? undefined },
      messageSent(sender, text, command.packId),
    ),
    recipients: [sender, reader],
    answer: answerTo(command, { seq: 1 }),
  })
  expect(await sending).toMatchObject({ conversationId: command.stream, seq: 1 })
  await told
  expect(got).toEqual([{ seq: 1, content: { type: 'text', text } }])
  expect((await ann.history('g:x', { limit: 5 })).messages).toEqual([])
  await ann.close()
  await ben.close()
})

it('a list may hold addresses of several kinds, and one of an unknown kind is refused by name', async () => {
  const token = await test.token('cleo')
  const nobody = 'omtp://127.0.0.1:1'
  const me = await connect({ url: [nobody, test.url], token })
  await me.close()
  await expect(connect({ url: 'gopher://x', token })).rejects.toMatchObject({ code: 'bad_call' })
})
