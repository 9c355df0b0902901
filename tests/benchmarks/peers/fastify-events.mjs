// The provider's status callbacks: authenticated by token or by signature, applied by one statement, answered after its commit.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import querystring from 'node:querystring'
import { hashOf } from './fastify-calls.mjs'

const OWN_PARAMETERS = new Set(['token', 'signature', 'call', 'attempt'])
const OUTCOMES = new Map([
  ['completed', 'completed'], ['no-answer', 'no-answer'], ['busy', 'busy'], ['failed', 'failed'], ['canceled', 'canceled'], ['cancelled', 'canceled'],
])

export function events(app, pool, statement) {
  const byToken = statement('by-token', 'select id, webhook_token_hash from organizations where webhook_token_hash = @hash')
  const bySignature = statement('by-signature', `
    select o.id, o.callback_secret
    from calls c
    join organizations o on o.id = c.organization_id
    where c.id = @call`)
  const apply = statement('apply', readFileSync(new URL('apply-event.sql', import.meta.url), 'utf8'))

  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) => done(null, querystring.parse(body)))

  async function authenticate(request, reply) {
    const { token, call, attempt, signature } = request.query
    if (signature) {
      const { rows: [row] } = await pool.query(bySignature({ call }))
      if (row) {
        const signed = createHmac('sha256', row.callback_secret)
          .update(`${row.id.replaceAll('-', '')}.${call.replaceAll('-', '')}.${attempt}`)
          .digest('base64url')
        if (signed.length === signature.length && timingSafeEqual(Buffer.from(signed), Buffer.from(signature))) {
          request.organization = row.id
          return
        }
      }
    } else if (token) {
      const hash = hashOf(token)
      const { rows: [row] } = await pool.query(byToken({ hash }))
      if (row && timingSafeEqual(row.webhook_token_hash, hash)) {
        request.organization = row.id
        return
      }
    }
    return reply.code(401).send({ status: 401 })
  }

  app.post('/webhooks/provider-event', { preValidation: authenticate }, async (request, reply) => {
    const fields = understand(request)
    const { call, attempt } = request.query
    const { rows: [applied] } = await pool.query(apply({
      ...fields,
      organizationId: request.organization,
      callId: call ?? fields.callId,
      attempt: attempt && Number(attempt),
      retryDelay: '5 minutes',
      callTimeout: '4 hours',
    }))
    if (!applied) return reply.code(404).send({ status: 404 })
    return { call_id: applied.id, status: applied.status, applied: applied.applied }
  })
}

function understand(request) {
  const sent = {}
  for (const from of [request.query, request.body ?? {}]) {
    for (const [name, value] of Object.entries(from)) {
      if (OWN_PARAMETERS.has(name) || value === '' || value === 'null') continue
      sent[name] = value
    }
  }
  const type = sent.EventType?.toLowerCase()
  const status = (sent.Status ?? sent.CallStatus)?.toLowerCase()
  const outcome = type === undefined || type === 'terminal' ? OUTCOMES.get(status) : undefined
  const answered = type === 'answered' || (type === undefined && status === 'in-progress')
  const kind = answered ? 'Answered' : outcome ? 'Ended' : 'Noted'
  return {
    word: answered ? 'answered' : outcome ?? status ?? 'received',
    kind,
    outcome,
    fromApplet: false,
    providerCallId: sent.CallSid,
    callId: sent.CustomField,
    from: number(sent.CallFrom ?? sent.From),
    to: number(sent.CallTo ?? sent.To),
    at: time(sent.DateUpdated),
    startedAt: time(sent.StartTime ?? sent.DateCreated),
    endedAt: time(sent.EndTime),
    durationSeconds: kind === 'Ended' && sent.ConversationDuration ? Number(sent.ConversationDuration) : undefined,
    recordingUrl: sent.RecordingUrl,
    details: JSON.stringify(sent),
  }
}

// The provider's times carry no zone and are Indian ones.
const time = text => text && `${text} +05:30`

const number = text => text && (/^0\d{10}$/.test(text) ? `+91${text.slice(1)}` : text)
