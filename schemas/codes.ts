/** Every code a client can see, in one table. `retry`: what a client may do. */
type Retry = 'never' | 'same' | 'anew' | 'login' | 'reconnect'
interface Code {
  /** never: the answer is final. same: send the same packId again later. anew: look up first, then a new packId. */
  readonly retry: Retry
  readonly text: string
}

export const codes = {
  // the command itself
  bad_frame: { retry: 'never', text: 'The frame does not fit the protocol.' },
  frame_too_large: { retry: 'never', text: 'The frame is over 64 KiB.' },
  unsupported: { retry: 'never', text: 'The server does not know this frame or protocol version.' },
  bad_id: { retry: 'never', text: 'An id is not [A-Za-z0-9_.-]{1,64} or names no stream.' },
  bad_content: {
    retry: 'never',
    text: 'The content, or another value in the command, is not what was expected.',
  },
  content_too_large: { retry: 'never', text: 'The content is over 32 KiB.' },
  too_many: { retry: 'never', text: 'A list in the command is over its limit.' },
  pack_id_invalid: { retry: 'never', text: 'packId is not a UUIDv7 in lower case.' },
  pack_id_ahead: { retry: 'anew', text: 'packId is over a minute ahead of server time.' },
  pack_id_expired: {
    retry: 'anew',
    text: 'packId is too old to tell whether it was seen; look it up first.',
  },
  pack_id_in_use: { retry: 'never', text: 'A request with this packId is not answered yet.' },
  // rules of the stream
  not_member: {
    retry: 'never',
    text: 'Not a member of this group or not in this room, or there is no such group.',
  },
  muted: { retry: 'never', text: 'Muted in this group.' },
  dissolved: { retry: 'never', text: 'The group was dissolved.' },
  not_accepted: { retry: 'never', text: 'The other side does not take this.' },
  not_friend: { retry: 'never', text: 'The two are no friends.' },
  not_asked: { retry: 'never', text: 'There is no such request to answer.' },
  to_oneself: { retry: 'never', text: 'This cannot be asked of oneself.' },
  not_allowed: { retry: 'never', text: 'The role does not allow this.' },
  already_exists: { retry: 'never', text: 'The group exists already.' },
  group_full: { retry: 'never', text: 'The group would be over its limit of members.' },
  no_change: { retry: 'never', text: 'Nothing would change: all are members already, or none is.' },
  no_such_message: { retry: 'never', text: 'There is no such message in this conversation.' },
  too_old: { retry: 'never', text: 'The message is too old for this.' },
  not_author: { retry: 'never', text: 'Only the author may do this.' },
  already_recalled: { retry: 'never', text: 'The message was recalled.' },
  bad_position: { retry: 'never', text: 'The position lies beyond the end or before the beginning.' },
  stream_broken: {
    retry: 'never',
    text: 'This stream met a defect and takes no commands until it is repaired.',
  },
  undecodable: { retry: 'never', text: 'The record could not be decoded.' },
  internal: { retry: 'never', text: 'A defect of the server; the operators have the record.' },
  // the connection
  not_logged_in: { retry: 'login', text: 'The first frame must be a login.' },
  already_logged_in: { retry: 'never', text: 'This connection is logged in.' },
  token_invalid: { retry: 'login', text: 'The token is not valid.' },
  token_expired: { retry: 'login', text: 'The token has expired.' },
  login_timeout: { retry: 'reconnect', text: 'No login within 5 seconds.' },
  frame_timeout: { retry: 'reconnect', text: 'A frame was begun and not completed in time.' },
  heartbeat_timeout: { retry: 'reconnect', text: 'Silent for two heartbeat periods.' },
  too_many_connections: {
    retry: 'reconnect',
    text: 'The user has too many connections here; close one, or connect again later.',
  },
  slow_consumer: { retry: 'reconnect', text: 'The connection did not take or acknowledge what was pushed.' },
  draining: { retry: 'reconnect', text: 'This gateway is going down; connect to another.' },
  kicked: { retry: 'never', text: 'Another login ended this one.' },
  replaced: { retry: 'never', text: 'The same device has connected again.' },
  token_revoked: {
    retry: 'login',
    text: 'The tokens of this user that were issued earlier are no longer valid.',
  },
  proof_required: { retry: 'login', text: 'The login needs a proof; see challenge.' },
  login_refused: { retry: 'never', text: 'This login was refused.' },
  superseded: { retry: 'never', text: 'A later joinRoom or leaveRoom took its place.' },
  no_such_session: { retry: 'reconnect', text: 'There is no such polling session here; log in again.' },
  // the moment
  unavailable: { retry: 'same', text: 'A part of the platform does not answer; send again.' },
  overloaded: { retry: 'same', text: 'The platform sheds load; send again later.' },
  rate_limited: { retry: 'same', text: 'Too fast; send again after retryAfterMs.' },
} as const satisfies Record<string, Code>

export type CodeName = keyof typeof codes
export const isCode = (value: string): value is CodeName => Object.hasOwn(codes, value)
