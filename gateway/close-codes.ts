/** WebSocket close codes by the reason a connection is ended for; the `bye` frame before it says the reason itself. */
import type { CodeName } from '../schemas/codes.ts'

const closeCodes: Partial<Record<CodeName, number>> = {
  not_logged_in: 4401,
  already_logged_in: 4400,
  token_invalid: 4401,
  token_expired: 4401,
  token_revoked: 4401,
  proof_required: 4401,
  login_refused: 4403,
  login_timeout: 4408,
  frame_timeout: 4408,
  heartbeat_timeout: 4408,
  kicked: 4409,
  replaced: 4409,
  slow_consumer: 4413,
  too_many_connections: 4429,
  rate_limited: 4429,
  draining: 4503,
  internal: 4500,
}
const NORMAL = 1000
const BAD_REQUEST = 4400

/** Null: the client logged out. */
export const closeCodeOf = (code: CodeName | null): number =>
  code === null ? NORMAL : (closeCodes[code] ?? BAD_REQUEST)
