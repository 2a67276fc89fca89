/**
 * `npm run -s token -- USER [--right observe]`: prints a development token for one user and nothing else. With `--revoke`: makes
 * all tokens of that user worthless that were issued until now, whoever issued them.
 */

import { userInfo } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { mintToken } from '../gateway/tokens/mint.ts'
import { appendRevocation } from '../gateway/tokens/revoke.ts'
import { type Right, tokenRights } from '../gateway/tokens/verdict.ts'
import { isId } from '../schemas/ids.ts'
import { systemClock } from './clock.ts'
import { type Config, ConfigError, loadConfig } from './config.ts'
import { engineAddresses } from './embedded/addresses.ts'
import { kafkaStore } from './kafka/store.ts'
import { silentLog } from './log.ts'
import { kafkaSettings } from './role.ts'
import { ensureTokenSecretFile, readTokenSecret } from './token-secret.ts'

const lifetimeSec = 30 * 24 * 3600

function addRight(name: string, rights: readonly Right[]): readonly Right[] {
  const right = tokenRights.find((known) => known === name)
  if (!right) throw new InvalidArgumentError(`It is one of: ${tokenRights.join(', ')}.`)
  return [...rights, right]
}

const program = new Command('token')
  .argument('<user>', 'whom the token is for')
  .option(
    '--right <right>',
    `what it allows beyond (${tokenRights.join(', ')}); may be repeated`,
    addRight,
    [],
  )
  .option('--revoke', 'refuses the tokens of this user that were issued until now, and ends his connections')
  .exitOverride()
  .action(async (userId: string, { right, revoke }: { right: readonly Right[]; revoke?: true }) => {
    const config = loadConfig(process.env)
    console.log(await (revoke ? revoked(config, userId) : minted(config, userId, right)))
  })

async function minted(config: Config, userId: string, rights: readonly Right[]): Promise<string> {
  if (config.jwksUrl !== undefined || config.jwksFile !== undefined)
    throw new ConfigError('tokens come from the issuer of the JWKS that is set; the secret signs none')
  const secret = readTokenSecret(ensureTokenSecretFile(config))
  const { tokenIssuer: issuer, tokenAudience: audience } = config
  return mintToken(secret, userId, lifetimeSec, { rights, issuer, audience })
}

async function revoked(config: Config, userId: string): Promise<string> {
  if (!isId(userId)) throw new RangeError('a user id is 1 to 64 of A-Z a-z 0-9 _ . -')
  const kafka = config.kafka ?? engineAddresses(config.dataDir)?.kafka
  if (!kafka)
    throw new ConfigError('LONGWIRE_KAFKA is not set, and no embedded one was started in the data folder')
  const store = kafkaStore(kafkaSettings({ ...config, kafka: [...kafka] }, 'token'), silentLog, systemClock)
  const now = systemClock.now()
  await appendRevocation(store, { user: userId, notBefore: now, by: userInfo().username, at: now })
  return `revoked: tokens of ${userId} that were issued before ${new Date(now).toISOString()}`
}

try {
  await program.parseAsync()
} catch (err) {
  const { code, exitCode, message } = err as Error & { code?: string; exitCode?: number }
  // Commander has written its own line.
  if (code?.startsWith('commander.') !== true) console.error(message)
  process.exitCode = exitCode === 0 ? 0 : 2
}
