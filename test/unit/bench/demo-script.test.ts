import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAudit } from '../../../bench/demo/audit.ts'
import { dialogue } from '../../../bench/demo/dialogue.ts'
import { parseDay, parseLine } from '../../../bench/demo/parse.ts'
import { planOf } from '../../../bench/demo/plan.ts'
import { createRecount } from '../../../bench/demo/recount.ts'
import { scriptOf } from '../../../bench/demo/script.ts'
import { userIdOf } from '../../../bench/demo/user-id.ts'
import { isId } from '../../../schemas/ids.ts'

const said = (minute: number, nick: string, text: string) => ({
  kind: 'said' as const,
  minute,
  nick,
  text,
  action: false,
})

describe('reading a day', () => {
  test('a message keeps its text as it is', () => {
    expect(parseLine('[11:22] <guzu> ok,  what > that <b>? ')).toEqual(
      said(682, 'guzu', 'ok,  what > that <b>? '),
    )
    expect(parseLine('[04:48] <brunner> \uFEFFis it?')).toEqual(said(288, 'brunner', '\uFEFFis it?'))
  })

  test('nicks hold brackets, bars and padding', () => {
    expect(parseLine('[12:45] <[zero] > How?')).toEqual(said(765, '[zero]', 'How?'))
    expect(parseLine('[12:45] <][AcHm2][> x')).toEqual(said(765, '][AcHm2][', 'x'))
    expect(parseLine('[12:45] <jack_^> <b> x')).toEqual(said(765, 'jack_^', '<b> x'))
  })

  test('a line without text is still said', () => {
    expect(parseLine('[22:19] <bob_>')).toEqual(said(1339, 'bob_', ''))
  })

  test('an action is said by the one it names', () => {
    expect(parseLine('[04:48]  * Pelo sneaks up')).toEqual({
      ...said(288, 'Pelo', 'sneaks up'),
      action: true,
    })
  })

  test('renames are read, joins and topics are not', () => {
    expect(parseLine('=== RTB|Sleep is now known as Roger_')).toEqual({
      kind: 'renamed',
      from: 'RTB|Sleep',
      to: 'Roger_',
    })
    for (const line of [
      '=== g8m [n=evil@x.nl]  has joined #ubuntu',
      '',
      '[25:00] <a> b',
      '[1:00] <a> b',
      'x',
    ])
      expect(parseLine(line)).toBeNull()
  })

  test('a byte order mark and carriage returns do not matter', () => {
    expect(parseDay('\uFEFF[00:00] <a> b\r\n[00:01] <c> d\r\n')).toEqual([
      said(0, 'a', 'b'),
      said(1, 'c', 'd'),
    ])
  })

  test('no text makes it throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void scriptOf(parseDay(text))))
  })
})

describe('ids', () => {
  test('every nick has a valid id, and different nicks have different ids', () => {
    const nick = fc.oneof(
      fc.string({ minLength: 1, maxLength: 120 }),
      fc.string({ unit: fc.constantFrom('a', '.', '-', '5', 'b', '[', 'h'), minLength: 1, maxLength: 90 }),
    )
    fc.assert(
      fc.property(
        nick,
        nick,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        (a, b, m, n) => {
          const [one, two] = [userIdOf(a.toWellFormed(), m), userIdOf(b.toWellFormed(), n)]
          expect(isId(one)).toBe(true)
          expect(one === two).toBe(a.toWellFormed() === b.toWellFormed() && m === n)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('who says what when', () => {
  test('a renamed user stays the same user', () => {
    const script = scriptOf([
      said(0, 'a', '1'),
      { kind: 'renamed', from: 'a', to: 'b' },
      said(1, 'b', '2'),
      { kind: 'renamed', from: 'b', to: 'a' },
      said(2, 'a', '3'),
    ])
    expect(script.people).toEqual([{ userId: 'a', nicks: ['a', 'b', 'a'] }])
    expect(script.turns.map(({ person, nick }) => [person, nick])).toEqual([
      [0, 'a'],
      [0, 'b'],
      [0, 'a'],
    ])
  })

  test('a nick taken over belongs to who took it; a nick given up that speaks again is somebody new', () => {
    const script = scriptOf([
      said(0, 'a', '1'),
      said(0, 'b', '2'),
      { kind: 'renamed', from: 'a', to: 'b' },
      said(1, 'b', '3'),
      said(1, 'a', '4'),
    ])
    expect(script.people.map((person) => person.userId)).toEqual(['a', 'b', 'a..2'])
    expect(script.turns.map((turn) => turn.person)).toEqual([0, 1, 0, 2])
  })

  test('times never go back, over midnight and when the clock was set back', () => {
    const script = scriptOf([said(1439, 'a', '1'), said(0, 'a', '2'), said(2, 'a', '3'), said(1, 'a', '4')])
    expect(script.turns.map((turn) => turn.atMs)).toEqual([0, 60_000, 180_000, 210_000])
    expect(script.spanMs).toBe(240_000)
  })

  test('lines of one minute are spread over it', () => {
    const script = scriptOf([said(5, 'a', '1'), said(5, 'b', '2'), said(5, 'a', '3')])
    expect(script.turns.map((turn) => turn.atMs)).toEqual([0, 20_000, 40_000])
  })

  test('users over the limit are left out with their lines, and that is counted', () => {
    const script = scriptOf([said(0, 'a', '1'), said(0, 'b', '2'), said(1, 'a', '3')], 1)
    expect([script.people.length, script.turns.length, script.linesCut]).toEqual([1, 2, 1])
  })

  test('a nick before a colon at the start of a line is a mention of who goes by it, then or later', () => {
    const script = scriptOf([
      said(0, 'a', 'b: you there?'),
      said(0, 'b', 'a: yes'),
      { kind: 'renamed', from: 'a', to: 'c' },
      said(1, 'b', 'a: and now?'),
      said(1, 'b', 'c:hi'),
      said(1, 'c', 'c: to myself'),
      said(1, 'b', 'http://a.example and c: too'),
      { ...said(1, 'b', 'c: waves'), action: true },
      said(2, 'a', 'new here'),
    ])
    expect(script.turns.map((turn) => turn.mention)).toEqual([1, 0, 0, 0, null, null, null, null])
  })

  test('the dialogue of its own is one', () => {
    const script = scriptOf(dialogue)
    expect(script.turns.length).toBe(dialogue.length)
  })
})

describe('what happens beside the talking', () => {
  const script = scriptOf(dialogue)

  test('comes from the seed alone', () => {
    expect(planOf(script, 7)).toEqual(planOf(script, 7))
    expect(planOf(script, 7)).not.toEqual(planOf(script, 8))
  })

  test('holds recalls, edits, reactions, marks and a call to all even of a short dialogue', () => {
    for (let seed = 0; seed < 50; seed++) {
      const plan = planOf(script, seed)
      for (const some of [plan.recalls, plan.edits, plan.toAll]) expect(some.size).toBeGreaterThan(0)
      const { close, seldom, never } = plan.readers
      expect(close + seldom + never).toBe(script.people.length)
      expect(plan.marks.map(({ atMs }) => atMs)).toEqual(
        plan.marks.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
      )
      for (const [turn, edit] of plan.edits) {
        expect(edit.text).not.toBe(script.turns[turn]?.text)
        expect(edit.mention).not.toBe(script.turns[turn]?.person)
      }
    }
  })
})

describe('the recount', () => {
  test('counts what is neither own, nor read, nor recalled, and mentions as they stand after edits', () => {
    const recount = createRecount()
    recount.sent(1, 0, 1, false)
    recount.sent(2, 1, null, true)
    recount.sent(3, 0, null, false)
    recount.sent(4, 0, 1, false)
    expect(recount.of(1)).toEqual({ unread: 3, mentions: 2, mentionsAll: 0 })
    expect(recount.of(2)).toEqual({ unread: 4, mentions: 0, mentionsAll: 1 })
    recount.edited(3, 1)
    recount.edited(4, null)
    recount.recalled(1)
    recount.read(2, 2)
    recount.read(2, 1)
    expect(recount.of(1)).toEqual({ unread: 2, mentions: 1, mentionsAll: 0 })
    expect(recount.of(2)).toEqual({ unread: 2, mentions: 0, mentionsAll: 0 })
  })
})

describe('the audit', () => {
  const speakers = [0, 1, 0]
  const clean = () => {
    const audit = createAudit(2, speakers)
    speakers.forEach((_, turn) => {
      audit.sent(turn, turn)
      audit.committed(turn, turn + 2, turn + 5)
    })
    return audit
  }
  const all = (audit: ReturnType<typeof clean>, skip?: string) => {
    for (const person of [0, 1])
      for (const turn of [0, 1, 2])
        if (`${person}${turn}` !== skip) audit.received(person, turn, turn + 2, 'sent', turn + 9)
    return audit
  }

  test('passes a run in which everybody got everything once and in order', () => {
    const result = all(clean()).result()
    expect(result).toMatchObject({
      missing: 0,
      doubled: 0,
      outOfOrder: 0,
      altered: 0,
      expected: 6,
      received: 6,
    })
    expect(result.commitMs.p50Ms).toBe(5)
    expect(result.receiveMs).toMatchObject({ count: 3, p50Ms: 9 })
  })

  test('finds what is missing, doubled, out of order and altered', () => {
    expect(all(clean(), '12').result().missing).toBe(1)
    const doubled = all(clean())
    doubled.received(1, 0, 2, 'sent', 9)
    expect(doubled.result()).toMatchObject({ doubled: 1, outOfOrder: 0 })
    const late = all(clean(), '10')
    late.received(1, 0, 2, 'sent', 9)
    expect(late.result()).toMatchObject({ outOfOrder: 1, missing: 0 })
    const altered = all(clean(), '10')
    altered.received(1, 0, 2, 'other', 9)
    expect(altered.result().altered).toBe(1)
    const inverted = createAudit(1, [0, 0])
    inverted.sent(0, 0)
    inverted.sent(1, 0)
    inverted.committed(0, 3, 1)
    inverted.committed(1, 2, 1)
    expect(inverted.result()).toMatchObject({ outOfOrder: 1, missing: 2 })
  })

  test('finds who was not told of an edit or a recall, and a text that comes back', () => {
    const audit = all(clean())
    audit.changed(0, 'edited')
    audit.changed(1, 'recalled')
    expect(audit.behind()).toBe(4)
    for (const person of [0, 1]) {
      audit.told(person, 0, 'edited')
      audit.told(person, 1, 'recalled')
    }
    expect(audit.result()).toMatchObject({ behind: 0, edited: 1, recalled: 1, resurrected: 0, altered: 0 })
    audit.told(1, 1, 'edited')
    expect(audit.result()).toMatchObject({ behind: 0, resurrected: 1 })
  })
})
