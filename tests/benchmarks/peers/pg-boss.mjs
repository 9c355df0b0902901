// pg-boss as a scheduler of dials. `prepare` makes its schema and queue, `fill` adds jobs by its own insert, `run` works.
import { randomUUID } from 'node:crypto'
import { PgBoss } from 'pg-boss'
import { serve, settings, started } from './child.mjs'

const QUEUE = 'dial'
const JOBS_IN_A_STATEMENT = 10_000

const boss = new PgBoss({ connectionString: settings.connectionString, ...settings.boss })
boss.on('error', error => console.error(error.message))
await boss.start()

const commands = {
  prepare: () => boss.createQueue(QUEUE),

  async fill() {
    const { first, count, due, stepMs } = settings.rows
    const from = Date.parse(due)
    for (let done = 0; done < count; done += JOBS_IN_A_STATEMENT) {
      const jobs = Array.from({ length: Math.min(JOBS_IN_A_STATEMENT, count - done) }, (_, n) => ({
        data: { number: first + done + n },
        startAfter: new Date(from + (done + n) * stepMs),
      }))
      await boss.insert(QUEUE, jobs)
    }
  },

  async run() {
    await boss.work(QUEUE, settings.work, async jobs => {
      for (const job of jobs) {
        started(job.data.number, 1)
        randomUUID()
      }
    })
    serve()
  },
}

await commands[process.argv[2]]()
if (process.argv[2] !== 'run') await boss.stop({ graceful: false })
