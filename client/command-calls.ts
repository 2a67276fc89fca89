/** The calls that are one command each, and those made of several. */
import { limits } from '../schemas/limits.ts'
import type { Client, Content, SendRequest, Sent } from './api.ts'
import { chunks } from './chunks.ts'
import type { NewCommand } from './commands.ts'
import { LongwireError } from './error.ts'
import { contentFrame } from './messages.ts'

export type CommandCalls = Pick<
  Client,
  | 'send'
  | 'createGroup'
  | 'addMembers'
  | 'removeMembers'
  | 'importMembers'
  | 'recall'
  | 'edit'
  | 'react'
  | 'pin'
  | 'requestJoin'
  | 'answerJoin'
  | 'setRole'
  | 'transfer'
  | 'mute'
  | 'muteAll'
  | 'setGroup'
  | 'leave'
  | 'dissolve'
  | 'observe'
  | 'requestFriend'
  | 'answerFriend'
  | 'deleteFriend'
  | 'block'
  | 'unblock'
  | 'setProfile'
>

export interface CommandCallsDeps {
  readonly userId: () => string
  readonly submit: (command: NewCommand) => Promise<Sent>
}

export function commandCalls({ userId, submit }: CommandCallsDeps): CommandCalls {
  const addMembers: Client['addMembers'] = (conversationId, members) =>
    submit({ type: 'addMembers', conversationId, members: [...members] })

  return {
    send(request) {
      const { to, conversationId, replyTo } = request
      if ((to === undefined) === (conversationId === undefined))
        return badCall('Either `to` or `conversationId`.')
      const body = bodyOf(request)
      if (!body) return badCall('Either `text` or `content`.')
      return submit({ type: 'send', to, conversationId, replyTo, ...body })
    },
    edit(conversationId, seq, request) {
      const body = bodyOf(request)
      if (!body) return badCall('Either `text` or `content`.')
      return submit({ type: 'edit', conversationId, seq, ...body })
    },
    recall: (conversationId, seq) => submit({ type: 'recall', conversationId, seq }),
    react: (conversationId, seq, emoji, on = true) =>
      submit({ type: 'react', conversationId, seq, emoji, on }),
    pin: (conversationId, seq, on = true) => submit({ type: 'pin', conversationId, seq, on }),

    createGroup: ({ name, members }) => submit({ type: 'createGroup', name, members: [...members] }),
    addMembers,
    removeMembers: (conversationId, members) =>
      submit({ type: 'removeMembers', conversationId, members: [...members] }),
    async importMembers(conversationId, userIds, { onProgress } = {}) {
      const all = [...new Set(userIds)]
      let done = 0
      for (const part of chunks(all, limits.membersPerCommandMax)) {
        try {
          await addMembers(conversationId, part)
        } catch (error) {
          // All of them are members already.
          if (!(error instanceof LongwireError) || error.code !== 'no_change') throw error
        }
        done += part.length
        onProgress?.({ done, total: all.length })
      }
      return { done, total: all.length }
    },
    requestJoin: (conversationId, note = '') => submit({ type: 'requestJoin', conversationId, note }),
    answerJoin: (conversationId, user, accept) =>
      submit({ type: 'answerJoin', conversationId, userId: user, accept }),
    setRole: (conversationId, user, role) => submit({ type: 'setRole', conversationId, userId: user, role }),
    transfer: (conversationId, user) =>
      submit({ type: 'setRole', conversationId, userId: user, role: 'owner' }),
    mute: (conversationId, user, forMs) => submit({ type: 'mute', conversationId, userId: user, forMs }),
    muteAll: (conversationId, on = true) => submit({ type: 'muteAll', conversationId, on }),
    setGroup: (conversationId, changes) =>
      submit({ type: 'setGroup', conversationId, ...changes, custom: customText(changes.custom) }),
    leave: (conversationId) => submit({ type: 'removeMembers', conversationId, members: [userId()] }),
    dissolve: (conversationId) => submit({ type: 'dissolveGroup', conversationId }),
    observe: (conversationId, on = true) => submit({ type: 'observe', conversationId, on }),

    requestFriend: (user, note = '') => submit({ type: 'requestFriend', userId: user, note }),
    answerFriend: (user, accept) => submit({ type: 'answerFriend', userId: user, accept }),
    deleteFriend: (user) => submit({ type: 'deleteFriend', userId: user }),
    block: (user) => submit({ type: 'block', userId: user, on: true }),
    unblock: (user) => submit({ type: 'block', userId: user, on: false }),
    setProfile: (changes) => submit({ type: 'setProfile', ...changes, custom: customText(changes.custom) }),
  }
}

const badCall = (why: string): Promise<never> => Promise.reject(new LongwireError('bad_call', why))

/** On the wire it is JSON text, as one field; undefined: it stays as it is. */
const customText = (custom: unknown): string | undefined =>
  custom === undefined ? undefined : JSON.stringify(custom)

function bodyOf(request: Pick<SendRequest, 'text' | 'content' | 'mentions' | 'mentionAll'>) {
  const content: Content | undefined =
    request.text !== undefined ? { type: 'text', text: request.text } : request.content
  if (!content || (request.text !== undefined && request.content !== undefined)) return null
  const { mentions = [], mentionAll = false } = request
  return { ...contentFrame(content), mentions: [...mentions], mentionAll }
}
