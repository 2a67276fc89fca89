/** The login hook as the settings say. */
import { type Config, ConfigError, readSecretFile } from '../infra/config.ts'
import type { Metrics } from '../infra/metrics.ts'
import type { Clock, Logger } from '../schemas/ports.ts'
import { createLoginHook, type LoginHook } from './login-hook.ts'

export interface HookDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

const SECRET_BYTES_MIN = 32

export function hookOf(config: Config, { clock, log, metrics }: HookDeps): { loginHook?: LoginHook } {
  const { loginHookUrl: url, loginHookSecretFile: file } = config
  if (url === undefined) return {}
  const secret = readSecretFile('LOGIN_HOOK_SECRET_FILE', file) ?? ''
  if (Buffer.byteLength(secret) < SECRET_BYTES_MIN)
    throw new ConfigError(
      `LONGWIRE_LOGIN_HOOK_SECRET_FILE: ${file} holds fewer than ${SECRET_BYTES_MIN} bytes; put a random secret there`,
    )
  const loginHook = createLoginHook({
    url,
    secret,
    timeoutMs: config.loginHookTimeoutMs,
    fallback: config.loginHookFallback,
    clock,
    log,
    observed(outcome, ms) {
      metrics.inc('longwire_gateway_login_hook_total', 1, { outcome })
      metrics.observe('longwire_gateway_login_hook_ms', ms)
    },
  })
  return { loginHook }
}
