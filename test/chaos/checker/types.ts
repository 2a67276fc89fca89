/** What the checker takes in and what it says. It shares no code with the services, on purpose. */

/** One record of a topic as Kafka's own console consumer printed it. */
export interface Raw {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly time: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export type Phase = 'invoke' | 'ok' | 'fail' | 'info'

/**
 * One line of a history. `t_mono` is the host's monotonic clock in µs, the same for all processes. A command's lines share
 * `id`. A timeout or a lost connection is `info` (it may have happened), never `fail`.
 */
export interface Entry {
  readonly t_mono: number
  readonly proc: string
  /** `<user>/<device>`; empty for what no device did. */
  readonly dev: string
  readonly op: string
  readonly phase: Phase
  readonly id?: string
  readonly conv?: string
  readonly packId?: string
  readonly seq?: number
  /** Of a message's text, see hashOfText. null: recalled. */
  readonly hash?: string | null
  readonly code?: string
  readonly n?: number
  readonly mentions?: number
  readonly mentionsAll?: number
  readonly detail?: string
}

/** One accepted record as the archive's table of events holds it. */
export interface ArchiveRow {
  readonly partition: number
  readonly source: number
  readonly kind: string
  readonly stream: string
  readonly seq: number
  readonly ordinal: number
  readonly payload: Buffer
}

/** A violation of one guarantee. */
export interface Finding {
  readonly kind: FindingKind
  readonly detail: string
}

export const findingKinds = [
  /** I1: committed, and not in the accepted log under that seq. */
  'lost',
  /** I2: one command as two events, or one body under two seqs. */
  'duplicated',
  /** I2: one (conversation, seq) with two contents. */
  'forked',
  /** I3: seqs or ordinals of a stream are not 1..n. */
  'gap',
  /** A command without its one record, or with two. */
  'unanswered',
  /** The record says something else than the command it names. */
  'altered',
  /** Written by the owner in force and still out of order: its append was lost or doubled on the way. */
  'unsound-write',
  /** A repeat that does not repeat the first answer. */
  'wrong-repeat',
  /** Broker time went backwards within a partition. */
  'time-backwards',
  /** The answer's seq is not the log's. */
  'ack-wrong',
  /** I8: one (conversation, seq) was the answer to two sends. */
  'ack-reused',
  /** In the log, and nobody sent it. */
  'ghost',
  /** Refused for good, and in the log. */
  'aborted',
  /** Neither committed nor refused when everything was quiet. */
  'unsettled',
  /** One device sent A before B to a conversation, and B has the lower seq. */
  'send-order',
  /** Done by somebody whose place, role, mute or block did not let him, there and then. */
  'forbidden',
  /** Redis says that somebody is online who is not, or the other way round. */
  'stale-online',
  /** I4: a device never saw it. */
  'missing',
  /** I4: a device saw it twice after the SDK's de-duplication. */
  'seen-twice',
  /** I5: a device saw a lower seq after a higher one. */
  'inversion',
  /** Seen or read outside of the reader's membership. */
  'trespass',
  /** Seen or read, and the log does not hold it so. */
  'untrue',
  /** History read from seq 1 lacks a message, or has one twice or out of order. */
  'history',
  /** I6: the server's count of unread messages, or of those that name the reader, is not the recomputed one. */
  'unread',
  /** I9: a text that was shown, given or found after its recall. */
  'recall',
  /** I9: a device was never told of a recall or an edit of what it shows. */
  'stale',
  'archive-missing',
  'archive-extra',
  'archive-hash',
  'dead-letter',
  /** I10: built anew from the log, it is not what it was. */
  'rebuilt-otherwise',
  /** Nobody can read it any more, or it is shown to nobody, though nobody erased it. */
  'erased',
  /** It was erased, and can be opened still, or stands or is shown in clear. */
  'unerased',
  /** F26: something from behind a gap in im.events in a read model or the archive, or a position there. */
  'gap-skipped',
  /** Whoever met the gap did not say so. */
  'gap-unsaid',
  /** A send that was acknowledged though nobody may decide it behind the gap. */
  'gap-answered',
  'undecodable',
] as const
export type FindingKind = (typeof findingKinds)[number]

export type Find = (kind: FindingKind, detail: string) => void
