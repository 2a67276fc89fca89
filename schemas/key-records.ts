/** What stands on im.keys and im.readings: keys of contents, and who has read what users no longer see. */
import { nullableString } from './record-parts.ts'

/**
 * On im.keys, by id: a key of contents. That of a user (`<user>~<random>`) is the root of a tree; once something in it was cut out, a
 * part of the tree has a record of its own (`<user>~<random>/<path>`) that counts instead. Only a higher version changes a record.
 */
export const contentKeySchema = {
  type: 'record',
  name: 'ContentKey',
  namespace: 'longwire',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'version', type: 'int' },
    {
      name: 'state',
      type: { type: 'enum', name: 'ContentKeyState', symbols: ['live', 'held', 'destroyed'] },
    },
    /** Of a key that is held for auditors, and for nobody else: until when, in ms. */
    { name: 'heldUntil', type: ['null', 'long'] },
    /** The nodes that are left, wrapped under the platform's secret. Null: destroyed. */
    { name: 'tree', type: ['null', 'bytes'] },
    /** By the clock of who made the first version, in ms: of several keys of a user the oldest live one seals. */
    { name: 'madeAt', type: 'long' },
    /** Who wrote this version, and when in ms by his own clock. */
    { name: 'by', type: 'string' },
    { name: 'at', type: 'long' },
  ],
} as const

/** On im.readings: an auditor has read what users no longer see. Written before he is shown anything. */
export const readingSchema = {
  type: 'record',
  name: 'AuditReading',
  namespace: 'longwire',
  fields: [
    { name: 'auditor', type: 'string' },
    /** By the clock of his machine, in ms. */
    { name: 'at', type: 'long' },
    { name: 'reason', type: 'string' },
    { name: 'conversation', type: 'string' },
    /** Whose messages; null: everyone's. */
    { name: 'user', type: nullableString },
    /** Seqs of messages from and to, both included; to null: to the end. */
    { name: 'from', type: 'long' },
    { name: 'to', type: ['null', 'long'] },
    /** How many contents he was shown. */
    { name: 'contents', type: 'int' },
  ],
} as const
