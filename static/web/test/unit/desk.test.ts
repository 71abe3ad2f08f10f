import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { changes, clash, classesOf, codeIn, fromInput, localInput, lowers, passwordRules, said, takeCode } from '../../src/desk/rules.ts'
import { words } from '../../src/desk/words.ts'
import { readMe, safeNext, short, tabsFor } from '../../src/lib/me.ts'

const origin = 'https://map.example'

describe('the way back after signing in', () => {
  it('stays inside this site', () => {
    expect(safeNext('/?layers=roads#map=9/30/118', origin)).toBe('/?layers=roads#map=9/30/118')
    expect(safeNext('/admin#grants', origin)).toBe('/admin#grants')
  })
  it('never leads to another host, a script, or a control character', () => {
    for (const wish of ['https://evil.example/', '//evil.example/', '/\\evil.example', '/\\/evil.example', 'javascript:alert(1)', 'admin', '', '/\t/evil.example', '/\n/evil.example', '/..//evil.example/', '/x/..//evil.example', 'data:text/html,x', '/%5c%5cevil', null]) {
      const got = safeNext(wish, origin)
      expect(new URL(got, origin).origin, String(wish)).toBe(origin)
      expect(got.startsWith('//'), String(wish)).toBe(false)
    }
    expect(safeNext('//evil.example/', origin)).toBe('/')
    expect(safeNext('/..//evil.example/', origin)).toBe('/')
  })
  it('is not a door again, and not the interface of programs', () => {
    for (const wish of ['/signin?next=/signin', '/setup#abc', '/activate', '/enrol/', '/api/session', '/tiles/x', '/ogc']) expect(safeNext(wish, origin), wish).toBe('/')
  })
})

describe('permissions', () => {
  it('open only the tabs they carry', () => {
    expect(tabsFor(['manage_accounts', 'enrol_devices', 'manage_system'])).toEqual(['people', 'sessions', 'layers', 'settings'])
    expect(tabsFor(['manage_grants', 'manage_tokens', 'classify_layers', 'manage_security'])).toEqual(['grants', 'tokens', 'layers', 'decisions', 'settings'])
    expect(tabsFor(['read_audit'])).toEqual(['audit', 'decisions', 'rules'])
    expect(tabsFor(['make_tokens', 'send_orders'])).toEqual(['tokens', 'orders', 'decisions'])
    expect(tabsFor(['write_features'])).toEqual([])
    expect(tabsFor([])).toEqual([])
  })
  it('are empty for whoever the server does not name', () => {
    for (const body of [null, {}, { roles: null, permissions: null }, 'x']) {
      const me = readMe(body)
      expect(me.signed_in).toBe(false)
      expect(me.permissions).toEqual([])
    }
  })
  it('give everybody a face', () => {
    expect(short('李明')).toBe('李')
    expect(short('Ann Lee')).toBe('AL')
    expect(short('')).toBe('?')
  })
})

describe('password rules', () => {
  const rules = { min_length: 10, classes: 3 }
  const ok = (p: string, again = p, name = 'li.ming') => Object.fromEntries(passwordRules(p, again, name, rules).map((r) => [r.id, r.ok]))
  it('count characters, not bytes', () => {
    expect(ok('Aa1汉字汉字汉字汉')).toMatchObject({ length: true, classes: true })
    expect(ok('Aa1汉字汉字汉字')).toMatchObject({ length: false })
    expect(ok('Aa1😀😀😀😀😀😀')).toMatchObject({ length: false })
  })
  it('count kinds of characters', () => {
    expect(classesOf('abc')).toBe(1)
    expect(classesOf('abC1')).toBe(3)
    expect(classesOf('ab C1')).toBe(4)
  })
  it('refuse the user name inside, whatever its case', () => {
    expect(ok('xxLI.MING12')).toMatchObject({ name: false })
    expect(ok('Correct-horse-1')).toEqual({ length: true, classes: true, name: true, same: true })
    expect(ok('abABab1234', undefined, 'ab')).toMatchObject({ name: true })
  })
  it('want both entries equal, and none of it empty', () => {
    expect(ok('Correct-horse-1', 'Correct-horse-2')).toMatchObject({ same: false })
    expect(ok('')).toEqual({ length: false, classes: false, name: false, same: false })
  })
})

describe('what changed', () => {
  it('lists added, removed and changed fields with their path', () => {
    expect(changes({ a: 1, b: { c: 'x', d: [1] }, e: null, g: 2 }, { a: 1, b: { c: 'y', d: [1, 2] }, e: null, f: true })).toEqual([
      { path: 'b.c', kind: 'changed', before: 'x', after: 'y' },
      { path: 'b.d', kind: 'changed', before: [1], after: [1, 2] },
      { path: 'g', kind: 'removed', before: 2, after: null },
      { path: 'f', kind: 'added', before: null, after: true },
    ])
  })
  it('reads a row that came or went', () => {
    expect(changes(null, { role: 'viewer' })).toEqual([{ path: 'role', kind: 'added', before: null, after: 'viewer' }])
    expect(changes({ role: 'viewer' }, null)).toEqual([{ path: 'role', kind: 'removed', before: 'viewer', after: null }])
    expect(changes(null, null)).toEqual([])
    expect(changes({ a: [1] }, { a: [1] })).toEqual([])
  })
  it('says a value in one line', () => {
    expect(said(null)).toBe('—')
    expect(said({ a: 1 })).toBe('{"a":1}')
    expect(said(false)).toBe('false')
  })
})

describe('grants', () => {
  it('keep the three offices apart, in valid and coming grants only', () => {
    expect(clash('auditor', [{ role: 'admin', state: 'valid' }])).toBe('admin')
    expect(clash('auditor', [{ role: 'security_admin', state: 'future' }])).toBe('security_admin')
    expect(clash('auditor', [{ role: 'admin', state: 'revoked' }, { role: 'admin', state: 'expired' }])).toBeNull()
    expect(clash('auditor', [{ role: 'auditor', state: 'valid' }])).toBeNull()
    expect(clash('viewer', [{ role: 'admin', state: 'valid' }])).toBeNull()
  })
  it('know which way a layer is reclassified', () => {
    expect(lowers('sensitive', 'internal')).toBe(true)
    expect(lowers('internal', 'public')).toBe(true)
    expect(lowers('public', 'sensitive')).toBe(false)
  })
})

describe('codes', () => {
  it('leave the address at once', () => {
    const replaced: string[] = []
    const at = new URL('https://map.example/activate?lang=en#a%2Bb-C_1') as unknown as Location
    const history = { state: null, replaceState: (_: unknown, __: string, url: string) => { replaced.push(url) } } as unknown as History
    expect(takeCode(at, history)).toBe('a+b-C_1')
    expect(replaced).toEqual(['/activate?lang=en'])
    expect(takeCode(new URL('https://map.example/activate') as unknown as Location, history)).toBe('')
    expect(replaced).toHaveLength(1)
  })
  it('are found in a pasted link', () => {
    expect(codeIn(' https://map.example/setup#abc \n')).toBe('abc')
    expect(codeIn('abc\n def')).toBe('abcdef')
  })
  it('times go to the field and back', () => {
    const d = new Date(2026, 5, 1, 8, 5)
    expect(localInput(d)).toBe('2026-06-01T08:05')
    expect(fromInput('2026-06-01T08:05')).toBe(d.toISOString())
    expect(fromInput('')).toBeUndefined()
    expect(fromInput('nonsense')).toBeUndefined()
  })
})

describe('words of the administration', () => {
  const holes = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()
  const all = Object.entries(words) as [string, readonly [string, string]][]
  it('exist in both languages with the same holes', () => {
    for (const [key, [zh, en]] of all) {
      expect(zh, key).toBeTruthy()
      expect(en, key).toBeTruthy()
      expect(holes(en), key).toEqual(holes(zh))
      if (key !== 'language_other') expect(en, key).not.toMatch(/[\u4e00-\u9fff]/)
    }
  })
  it('are all used', () => {
    const files = (dir: string): string[] => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(`${dir}/${e.name}`) : [`${dir}/${e.name}`]))
    const source = files('src/desk').filter((f) => /\.(ts|svelte)$/.test(f) && !f.endsWith('words.ts')).map((f) => readFileSync(f, 'utf8')).join('\n')
    const built = /^(page|tab|state|role|about|visibility|dec|do|out|kind|audit|action|grant|ago|setting|security)_/ // put together from a value
    expect(all.map(([k]) => k).filter((k) => !built.test(k) && !new RegExp(`['"\`]${k}['"\`]`).test(source))).toEqual([])
  })
})
