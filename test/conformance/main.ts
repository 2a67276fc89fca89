/** `npm run conformance`: see `--help`. Exits 0 only when every case passed on every transport that an address was given for. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { mintToken } from '../../gateway/tokens/mint.ts'
import { loadConfig } from '../../infra/config.ts'
import { ensureTokenSecretFile, readTokenSecret } from '../../infra/token-secret.ts'
import { type Cast, cases, conformance, failuresIn, table } from './run.ts'
import { type Member, type Role, roles } from './stage.ts'
import { omtpDeflated, omtpJson, omtpProtobuf, omtpTars, omtpXml } from './wires/omtp.ts'
import { longPolling, shortPolling } from './wires/polling.ts'
import { webSocketAvro, webSocketJson } from './wires/websocket.ts'
import type { Wire } from './wires/wire.ts'

const TOKEN_TTL_SEC = 3_600

interface Flags {
  readonly url?: string
  readonly omtp?: string
  readonly poll?: string
  readonly tokenCommand?: string
  readonly tokens?: string
  readonly drainCommand?: string
}

const flags = new Command('conformance')
  .description(
    'One scripted conversation on each transport, by clients that know nothing but docs/protocol: whether a server speaks it, and the same on all.',
  )
  .option('--url <address>', 'ws(s)://…/ws')
  .option('--omtp <address>', 'host:port')
  .option('--poll <address>', 'http(s)://…/poll')
  .option(
    '--token-command <command>',
    'prints a token of a user; {user} stands for the user. Without it, and without --tokens: signed with the secret of LONGWIRE_TOKEN_SECRET_FILE or of the data folder',
  )
  .option('--tokens <file>', 'JSON {user: token}: four users for each transport who have never talked')
  .option('--drain-command <command>', 'tells the server to stop, after all else')
  .parse()
  .opts<Flags>()

function refuse(line: string): never {
  process.stderr.write(`${line}\n`)
  process.exit(2)
}

async function printed(command: string, userId = ''): Promise<string> {
  const [file = '', ...args] = command.split(' ').map((word) => word.replaceAll('{user}', userId))
  return (await promisify(execFile)(file, args, { encoding: 'utf8' })).stdout.trim()
}

function tokens(): (userId: string) => Promise<string> {
  const { tokenCommand } = flags
  if (tokenCommand !== undefined) return (userId) => printed(tokenCommand, userId)
  const config = loadConfig(process.env)
  const secret = readTokenSecret(ensureTokenSecretFile(config))
  const { tokenIssuer: issuer, tokenAudience: audience } = config
  return (userId) => mintToken(secret, userId, TOKEN_TTL_SEC, { issuer, audience })
}

function castOf(): Cast {
  if (flags.tokens === undefined) {
    const tokenOf = tokens()
    const run = Date.now().toString(36)
    return async (transport) => {
      const member = async (role: Role): Promise<[Role, Member]> => {
        const userId = `conformance-${run}-${transport}-${role}`
        return [role, { userId, token: await tokenOf(userId) }]
      }
      return Object.fromEntries(await Promise.all(roles.map(member))) as Record<Role, Member>
    }
  }
  const left = Object.entries(JSON.parse(readFileSync(flags.tokens, 'utf8')) as Record<string, string>)
  return async (transport) => {
    // In order of their ids, so that conversations are named alike on each transport.
    const four = left.splice(0, roles.length).sort(([a], [b]) => (a < b ? -1 : 1))
    if (four.length < roles.length) refuse(`There are no four users left for ${transport}.`)
    return Object.fromEntries(
      roles.map((role, i) => [role, { userId: four[i]?.[0], token: four[i]?.[1] }]),
    ) as Record<Role, Member>
  }
}

const { url, omtp, poll } = flags
const wires: Wire[] = [
  ...(url === undefined ? [] : [webSocketJson(url), webSocketAvro(url)]),
  ...(omtp === undefined
    ? []
    : [omtpJson(omtp), omtpDeflated(omtp), omtpProtobuf(omtp), omtpXml(omtp), omtpTars(omtp)]),
  ...(poll === undefined ? [] : [longPolling(poll), shortPolling(poll)]),
]
if (wires.length === 0) refuse('Give --url, --omtp, --poll, or several.')
const { drainCommand } = flags
const startedMs = performance.now()
const all = wires.length * cases.length
let done = 0
const results = await conformance(wires, castOf(), {
  passed(transport, name, failure) {
    done += 1
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0)
    process.stderr.write(
      `${failure === null ? 'ok  ' : 'FAIL'} ${done}/${all}, ${seconds} s, ${transport}: ${name}\n`,
    )
  },
  drain: drainCommand === undefined ? undefined : () => printed(drainCommand),
})
const failures = failuresIn(results)
process.stdout.write(
  `${table(
    results,
    wires.map(({ name }) => name),
  )}\n${results.length} cases on ${wires.length} transports: ${failures} failed\n`,
)
// Not at once: what was closed is still telling the server so.
process.exitCode = failures === 0 ? 0 : 1
