/** What stands on im.activity: logins, and the delivery ledger. */
import { nullableString, packId } from './record-parts.ts'

/** What a gateway saw of its connections, on im.activity: for the archive only, and at times twice or not at all. */
export const activitySchema = {
  type: 'record',
  name: 'Activity',
  namespace: 'longwire',
  fields: [
    { name: 'gateway', type: 'string' },
    { name: 'boot', type: 'string' },
    { name: 'startedAt', type: 'long' },
    /** The gateway's clock, in ms; with no logins, a sign of life. */
    { name: 'time', type: 'long' },
    /** The last record of this boot. */
    { name: 'stopped', type: 'boolean' },
    /** Of this boot so far, for want of room. */
    { name: 'dropped', type: 'long' },
    {
      name: 'logins',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'LoginRecord',
          fields: [
            { name: 'user', type: 'string' },
            { name: 'deviceId', type: 'string' },
            { name: 'deviceType', type: 'string' },
            { name: 'connection', type: 'string' },
            { name: 'address', type: 'string' },
            { name: 'transport', type: 'string' },
            { name: 'loginAt', type: 'long' },
            { name: 'heartbeatMs', type: 'long' },
            /** All three null while it is connected. `ended`: a code, `logout`, or `lost` where nothing was said. */
            { name: 'ended', type: nullableString },
            { name: 'endedAt', type: ['null', 'long'] },
            { name: 'livedMs', type: ['null', 'long'] },
          ],
        },
      },
    },
    /** The delivery ledger is of one message in so many at this time; 0: of none. */
    { name: 'ledgerOneOf', type: 'int', default: 0 },
    /** Its rows that were dropped of this boot so far, for want of room. */
    { name: 'ledgerDropped', type: 'long', default: 0 },
    /** Messages that `pushes` are of. */
    {
      name: 'messages',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'LedgerMessage',
          fields: [
            { name: 'conversation', type: 'string' },
            { name: 'seq', type: 'long' },
            { name: 'time', type: 'long' },
            /** When fan-out wrote the delivery, by its clock. */
            { name: 'fannedAt', type: 'long' },
            /** It stands for so many messages; 0: for ledgerOneOf. */
            { name: 'oneOf', type: 'int', default: 0 },
          ],
        },
      },
      default: [],
    },
    /** Connections that `pushes` and `sends` are of. */
    {
      name: 'devices',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'LedgerDevice',
          fields: [
            { name: 'user', type: 'string' },
            { name: 'deviceId', type: 'string' },
            { name: 'deviceType', type: 'string' },
            { name: 'transport', type: 'string' },
            { name: 'connection', type: 'string' },
          ],
        },
      },
      default: [],
    },
    /** Each once, when it was acknowledged or its connection had ended. Places in the two lists above; ms since the message's time. */
    {
      name: 'pushes',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'LedgerPush',
          fields: [
            { name: 'message', type: 'int' },
            { name: 'device', type: 'int' },
            { name: 'pushedMs', type: 'long' },
            /** Null: never. */
            { name: 'ackedMs', type: ['null', 'long'] },
            /** How the connection ended before any ack: a code, `logout` or `lost`. */
            { name: 'ended', type: nullableString },
            { name: 'resends', type: 'int' },
          ],
        },
      },
      default: [],
    },
    /** Messages that clients of this gateway sent: when the frame came, when the log had it, when its seq was told. */
    {
      name: 'sends',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'LedgerSend',
          fields: [
            { name: 'conversation', type: 'string' },
            { name: 'seq', type: 'long' },
            { name: 'packId', type: packId },
            { name: 'device', type: 'int' },
            { name: 'time', type: 'long' },
            { name: 'receivedMs', type: 'long' },
            { name: 'acceptedMs', type: 'long' },
            { name: 'committedMs', type: 'long' },
            /** As that of a message above. */
            { name: 'oneOf', type: 'int', default: 0 },
          ],
        },
      },
      default: [],
    },
  ],
} as const
