/** What the schemas of records have in common. */
export const packId = { type: 'fixed', name: 'PackId', size: 16 } as const
export const fingerprint = { type: 'fixed', name: 'Fingerprint', size: 8 } as const
export const ids = { type: 'array', items: 'string' } as const
export const nullableString = ['null', 'string'] as const

/** Content as the client made it (JSON, UTF-8), opaque to processors, with what they need beside it. */
export const contentFields = [
  { name: 'contentType', type: 'string' },
  { name: 'content', type: 'bytes' },
  /** Key that seals `content`; null: in clear. */
  { name: 'keyId', type: nullableString },
  { name: 'mentions', type: ids },
  { name: 'mentionAll', type: 'boolean' },
] as const

/** What may be changed of a group; null: stays as it is. `custom` is JSON text of the clients' own. */
export const groupProfileFields = [
  { name: 'name', type: nullableString },
  { name: 'avatar', type: nullableString },
  { name: 'announcement', type: nullableString },
  { name: 'custom', type: nullableString },
  /** open: whoever asks is in. approval: an admin answers. closed: only by being added. */
  { name: 'joinPolicy', type: nullableString },
  /** members: any member may add. admins: only they. */
  { name: 'addPolicy', type: nullableString },
] as const

/** What may be changed of a user's profile; null: stays as it is. `custom` is JSON text of the clients' own. */
export const userProfileFields = [
  { name: 'name', type: nullableString },
  { name: 'avatar', type: nullableString },
  /** YYYY-MM-DD. */
  { name: 'birthday', type: nullableString },
  { name: 'region', type: nullableString },
  { name: 'gender', type: nullableString },
  { name: 'custom', type: nullableString },
] as const

/** Immutable facts of a message, from an accepted record. */
export const targetSchema = {
  type: 'record',
  name: 'Target',
  fields: [
    { name: 'seq', type: 'long' },
    { name: 'ordinal', type: 'long' },
    { name: 'sender', type: 'string' },
    { name: 'time', type: 'long' },
    { name: 'packId', type: packId },
  ],
} as const
