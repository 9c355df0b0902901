// How a scheduler under measurement talks with the benchmark: settings by environment, a JSON line each on standard output. It ends with its standard
// input, so that a benchmark that was killed leaves no peer behind.
import { createInterface } from 'node:readline'

export const settings = JSON.parse(process.env.BENCHMARK_SETTINGS)

// Jobs from this number on warm the process up, and are not measured.
const WARM_UP_FROM = 1_000_000_000
const TELL_EVERY_MS = 10
const STARTS_IN_A_LINE = 5000

const starts = []
let measured = 0
let warm = 0
let told = -1

const say = message => process.stdout.write(JSON.stringify(message) + '\n')

/** Called by a job's handler, first of all. */
export function started(number, attempt) {
  if (number >= WARM_UP_FROM) {
    warm++
  } else {
    measured++
    starts.push(number, attempt, Math.round((performance.timeOrigin + performance.now()) * 1000))
  }
}

/** Says that the jobs are being worked on, reports how many were, and at `stop` each of them. */
export function serve() {
  say({ ready: true })
  setInterval(() => {
    if (told === measured + warm) return
    told = measured + warm
    say({ measured, warm })
  }, TELL_EVERY_MS)
  createInterface({ input: process.stdin })
    .on('line', () => {
      while (starts.length > 0) say({ starts: starts.splice(0, 3 * STARTS_IN_A_LINE) })
      process.stdout.write(JSON.stringify({ stopped: true }) + '\n', () => process.exit(0))
    })
    .on('close', () => process.exit(0))
}
