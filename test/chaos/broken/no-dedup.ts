/** A known packId is decided again. */
import { patch } from './patch.ts'

patch([
  {
    file: 'processors/screen.ts',
    find: 'const first = state.answers.byKey.get(answerKey(command.sender, command.packId))',
    put: 'answerKey(command.sender, command.packId); const first = state.answers.byKey.get("") ',
  },
])
