/** What views can ask of the page around them. */
export interface Shell {
  openPerson(userId: string): void
  /** A group that one may not be in. */
  openGroup(conversationId: string): void
  /** What stands beside the open conversation: about it, or its search. */
  toggleInfo(): void
  toggleSearch(): void
  closePanel(): void
  /** Calls `show` whenever something changed, until what it returns is called. */
  watch(show: () => void): () => void
  showReaders(conversationId: string, seq: number): void
}
