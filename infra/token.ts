/** `npm run -s token -- USER`: prints a development token for one user and nothing else. */
import { mintToken } from '../gateway/tokens.ts'
import { loadConfig } from './config.ts'
import { ensureTokenSecretFile, readTokenSecret } from './token-secret.ts'

const lifetimeSec = 30 * 24 * 3600

const [userId, ...rest] = process.argv.slice(2)
try {
  if (userId === undefined || rest.length > 0) throw new Error('usage: npm run -s token -- USER')
  const secret = readTokenSecret(ensureTokenSecretFile(loadConfig(process.env)))
  console.log(await mintToken(secret, userId, lifetimeSec))
} catch (err) {
  console.error((err as Error).message)
  process.exitCode = 2
}
