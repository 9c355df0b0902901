// graphile-worker as a scheduler of dials. `prepare` makes its schema, `fill` adds jobs by its own SQL function, `run` works.
import { randomUUID } from 'node:crypto'
import { Logger, run, runMigrations } from 'graphile-worker'
import pg from 'pg'
import { serve, settings, started } from './child.mjs'

const { connectionString } = settings
const JOBS_IN_A_STATEMENT = 50_000

// It logs two lines for each job, on standard output: that would measure the pipe.
const logger = new Logger(() => () => {})

const commands = {
  prepare: () => runMigrations({ connectionString, logger }),

  async fill() {
    const { first, count, due, step } = settings.rows
    const client = new pg.Client({ connectionString })
    await client.connect()
    for (let done = 0; done < count; done += JOBS_IN_A_STATEMENT) {
      await client.query(
        `select count(*)
         from graphile_worker.add_jobs(array(
             select row(
                 'dial', json_build_object('number', $1::bigint + n), null, $2::timestamptz + n * $3::interval, null, null, null, null
             )::graphile_worker.job_spec
             from generate_series($4::bigint, $5::bigint) n))`,
        [first, due, step, done, Math.min(done + JOBS_IN_A_STATEMENT, count) - 1])
    }
    await client.end()
  },

  async run() {
    await run({
      preset: { worker: { connectionString, ...settings.worker } },
      logger,
      noHandleSignals: true,
      crontab: '',
      taskList: {
        dial: async ({ number }, { job }) => {
          started(number, job.attempts)
          return randomUUID()
        },
      },
    })
    serve()
  },
}

await commands[process.argv[2]]()
