/**
 * Server frames on `longwire.json`. The frequent ones are spliced from templates and content goes in as the text it
 * is, which is several times faster than stringifying an object. Null fields are left out.
 */
import type { Conversation, Item, ServerFrame } from '../../schemas/frames.ts'

const text = JSON.stringify

export function encodeJson(frame: ServerFrame): string {
  switch (frame.type) {
    case 'event':
      return `{"type":"event","item":${itemJson(frame.item)}}`
    case 'accepted':
      return `{"type":"accepted","packId":${text(frame.packId)}}`
    case 'committed':
      return `{"type":"committed","packId":${text(frame.packId)},"conversationId":${text(frame.conversationId)},"seq":${frame.seq},"ordinal":${frame.ordinal},"time":${frame.time},"repeat":${frame.repeat},"conflict":${frame.conflict}}`
    case 'historyResult':
      return withList(frame, 'items', frame.items.map(itemJson))
    case 'syncResult':
      return withList(frame, 'changes', frame.changes.map(itemJson))
    case 'searchResult':
    case 'roomResult':
    case 'roomItems':
      return withList(frame, 'items', frame.items.map(itemJson))
    case 'packed':
      return `{"type":"packed","id":${frame.id},"last":${frame.last},"data":"${frame.data.toString('base64')}"}`
    case 'conversationsResult':
      return withList(frame, 'conversations', frame.conversations.map(conversationJson))
    default:
      return text(frame, dropNull)
  }
}

const dropNull = (_key: string, value: unknown): unknown => (value === null ? undefined : value)

/** The frame without what OMTP has in its header: its type, and its packId or id. */
export function encodeJsonPayload(frame: ServerFrame): string {
  switch (frame.type) {
    case 'event':
      return `{"item":${itemJson(frame.item)}}`
    case 'packed':
      return `{"last":${frame.last},"data":"${frame.data.toString('base64')}"}`
    default: {
      const { type: _, ...fields } = { ...frame, packId: undefined, id: undefined }
      // Told apart by the lists that hold items, which only some types of frames have.
      const { items, changes, conversations } = fields as Partial<Lists>
      if (items) return withList(fields, 'items', items.map(itemJson))
      if (changes && frame.type === 'syncResult') return withList(fields, 'changes', changes.map(itemJson))
      return conversations
        ? withList(fields, 'conversations', conversations.map(conversationJson))
        : text(fields, dropNull)
    }
  }
}

interface Lists {
  readonly items: readonly Item[]
  readonly changes: readonly Item[]
  readonly conversations: readonly Conversation[]
}

/** An object with one list replaced by ready JSON texts. */
function withList(frame: object, list: string, parts: readonly string[]): string {
  const head = text({ ...frame, [list]: undefined }, dropNull).slice(0, -1)
  return `${head}${head === '{' ? '' : ','}"${list}":[${parts.join(',')}]}`
}

function conversationJson(conversation: Conversation): string {
  const { preview, ...rest } = conversation
  const head = text(rest, dropNull)
  return preview === null ? head : `${head.slice(0, -1)},"preview":${itemJson(preview)}}`
}

/** `content` is the JSON text that the edge took apart when it came in. */
export function itemJson(item: Item): string {
  let out = `{"conversationId":${text(item.conversationId)},"seq":${item.seq},"ordinal":${item.ordinal},"kind":"${item.kind}","time":${item.time},"senderId":${text(item.senderId)}`
  if (item.packId !== null) out += `,"packId":${text(item.packId)}`
  if (item.contentType !== null) out += `,"contentType":${text(item.contentType)}`
  if (item.content !== null) out += `,"content":${item.content}`
  out += item.mentions.length === 0 ? ',"mentions":[]' : `,"mentions":${text(item.mentions)}`
  out += `,"mentionAll":${item.mentionAll}`
  if (item.replyTo !== null) out += `,"replyTo":${item.replyTo}`
  if (item.targetSeq !== null) out += `,"targetSeq":${item.targetSeq}`
  out += item.members.length === 0 ? ',"members":[]' : `,"members":${text(item.members)}`
  if (item.name !== null) out += `,"name":${text(item.name)}`
  if (item.readConversationId !== null) out += `,"readConversationId":${text(item.readConversationId)}`
  if (item.readSeq !== null) out += `,"readSeq":${item.readSeq}`
  if (item.readOrdinal !== null) out += `,"readOrdinal":${item.readOrdinal}`
  if (item.on !== null) out += `,"on":${item.on}`
  if (item.key !== null) out += `,"key":${text(item.key)}`
  if (item.value !== null) out += `,"value":${text(item.value)}`
  if (item.until !== null) out += `,"until":${item.until}`
  return `${out}}`
}
