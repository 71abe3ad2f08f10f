/** Who is asking, as /api/me says; shared by the map and the administration pages. */
export interface MeRole { role: string; title: string; area: string; area_title: string | null; to: string | null }

export interface Me {
  kind: string
  signed_in: boolean
  setup_required: boolean
  demo: boolean
  id: string | null
  username: string | null
  name: string | null
  unit: string | null
  unit_title: string | null
  roles: MeRole[]
  permissions: string[]
  second_factor: { enabled: boolean; required: boolean }
  password_expires_at: string | null
  limited: string
  session: { id: string; expires_at: string } | null
  public_layers: number
  security: { password: { min_length: number; classes: number } }
}

/** nobody is what holds before the server has answered; every part may be missing in an answer. */
export const nobody: Me = {
  kind: 'anonymous', signed_in: false, setup_required: false, demo: false, id: null, username: null, name: null, unit: null, unit_title: null,
  roles: [], permissions: [], second_factor: { enabled: false, required: false }, password_expires_at: null, limited: '', session: null, public_layers: 0,
  security: { password: { min_length: 10, classes: 3 } },
}

export function readMe(body: unknown): Me {
  const b = (typeof body === 'object' && body !== null ? body : {}) as Partial<Me>
  return {
    ...nobody, ...b,
    roles: b.roles ?? [], permissions: b.permissions ?? [], second_factor: b.second_factor ?? nobody.second_factor, limited: b.limited ?? '',
    public_layers: Array.isArray(b.public_layers) ? b.public_layers.length : Number(b.public_layers ?? 0),
    security: b.security?.password ? b.security : nobody.security,
  }
}

/** Tabs of the administration and what opens each: any of the permissions. */
export const tabs = [
  { id: 'people', needs: ['manage_accounts', 'enrol_devices'] },
  { id: 'sessions', needs: ['manage_accounts'] },
  { id: 'grants', needs: ['manage_grants'] },
  { id: 'tokens', needs: ['manage_tokens', 'make_tokens'] },
  { id: 'layers', needs: ['classify_layers', 'manage_system'] },
  { id: 'orders', needs: ['send_orders'] },
  { id: 'audit', needs: ['read_audit'] },
  { id: 'decisions', needs: ['countersign', 'send_orders', 'classify_layers', 'manage_security', 'read_audit', 'verify_rules', 'edit_rules'] },
  { id: 'settings', needs: ['manage_system', 'manage_security'] },
  { id: 'rules', needs: ['edit_rules', 'verify_rules', 'read_audit'] },
] as const
export type TabID = typeof tabs[number]['id']

export function tabsFor(permissions: readonly string[]): TabID[] {
  return tabs.filter((t) => t.needs.some((p) => permissions.includes(p))).map((t) => t.id)
}

/** safeNext keeps a way back inside this site: a path of ours, never another host, never a script. */
export function safeNext(wish: string | null, origin: string, fallback = '/'): string {
  if (!wish || !wish.startsWith('/') || /[\\\u0000-\u001f]/.test(wish)) return fallback
  let url: URL
  try { url = new URL(wish, origin) } catch { return fallback }
  if (url.origin !== origin || url.pathname.startsWith('//')) return fallback
  // Back to a door would be a circle, and a door's code must not travel.
  if (/^\/(signin|setup|activate|enrol)\/?$/.test(url.pathname) || /^\/(api|tiles|ogc)(\/|$)/.test(url.pathname)) return fallback
  return url.pathname + url.search + url.hash
}

/** signInAt is the address of the sign-in page that comes back to here. */
export const signInAt = (here: Location | URL): string => `/signin?next=${encodeURIComponent(here.pathname + here.search + here.hash)}`

/** short is the one or two characters of a face: the family name, or the initials. */
export function short(name: string): string {
  const n = name.trim()
  if (!n) return '?'
  if (/[\u3400-\u9fff]/.test(n[0]!)) return n[0]!
  return n.split(/\s+/).slice(0, 2).map((w) => w[0]!.toUpperCase()).join('')
}
