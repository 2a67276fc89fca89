/** Said once for each death of a projection between what it wrote and the position behind it, by which the run counts them. */
export const diedMark = 'chaos: dies between'
