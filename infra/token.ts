/** `npm run -s token -- USER [--right observe]`: prints a development token for one user and nothing else. */
import { Command, InvalidArgumentError } from 'commander'
import { mintToken } from '../gateway/tokens/mint.ts'
import { type Right, tokenRights } from '../gateway/tokens/verdict.ts'
import { ConfigError, loadConfig } from './config.ts'
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
  .exitOverride()
  .action(async (userId: string, { right }: { right: readonly Right[] }) => {
    const config = loadConfig(process.env)
    if (config.jwksUrl !== undefined || config.jwksFile !== undefined)
      throw new ConfigError('tokens come from the issuer of the JWKS that is set; the secret signs none')
    const secret = readTokenSecret(ensureTokenSecretFile(config))
    const { tokenIssuer: issuer, tokenAudience: audience } = config
    console.log(await mintToken(secret, userId, lifetimeSec, { rights: right, issuer, audience }))
  })

try {
  await program.parseAsync()
} catch (err) {
  const { code, exitCode, message } = err as Error & { code?: string; exitCode?: number }
  // Commander has written its own line.
  if (code?.startsWith('commander.') !== true) console.error(message)
  process.exitCode = exitCode === 0 ? 0 : 2
}
