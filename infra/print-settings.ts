import { settingsMarkdown } from './settings.ts'

console.log(settingsMarkdown())
