/** Another release: messages have one field more, in the command and in the event, so that it writes what the other has never seen. */
import { patch } from '../broken/patch.ts'

const more = (find: string) => ({
  find,
  put: find.replace(/\],$/, ", { name: 'importance', type: 'int', default: 3 }],"),
})

patch([
  {
    file: 'schemas/event-payloads.ts',
    ...more("fields: [...originFields, ...contentFields, { name: 'replyTo', type: ['null', 'long'] }],"),
  },
  {
    file: 'schemas/command-payloads.ts',
    ...more("fields: [...contentFields, { name: 'replyTo', type: ['null', 'long'] }],"),
  },
])
