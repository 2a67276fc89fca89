/** Milliseconds of the host's monotonic clock, the same for all processes. */
export const hostMs = (): number => Number(process.hrtime.bigint()) / 1e6
