/** The shapes of papers as the server says them, and how figures stand in a text. */
export interface Block { key: string; title: string; text: string }
export interface PaperFigure { key: string; title: string; value: number | null; unit: string; method: string; as_of: string; source: string; kind: 'reported' | 'estimate'; low?: number; high?: number }
export interface PaperChange { figure: string; title: string; unit: string; then: number | null; now: number | null; as_of: string }
export interface Paper {
  id: string; etag: number; kind: 'flash' | 'special' | 'handover'; kind_title: string; number: string | null; title: string; area: string; area_title: string | null; incident: string | null; response: string | null; addressee: string | null
  from: string | null; to: string | null; exercise: boolean; state: 'draft' | 'reviewed' | 'reported' | 'signed'; state_title: string; blocks: Block[]; figures: PaperFigure[]; frozen_at: string | null; sha256: string | null
  drafted_by: string; created_at: string; reviewed_by: string | null; reviewed_at: string | null; reported_by: string | null; reported_at: string | null; consulted: string | null; consulted_on_duty: boolean | null
  sign_due_at: string | null; sign_overdue: boolean; signed_by: string | null; signed_at: string | null; late: boolean; note: string | null; mine: boolean; changed_since: PaperChange[] | null
}

/** shown is a figure as it is printed: nobody knows is not 0. */
export function shown(f: { value: number | null; unit: string; kind?: string; low?: number; high?: number }, words: { none: string; about: (n: string) => string; range?: (low: string, high: string) => string }): string {
  if (f.value === null) return words.none
  const n = String(f.value)
  const text = [f.kind === 'estimate' ? words.about(n) : n, f.unit].filter(Boolean).join(' ')
  return f.kind === 'estimate' && f.low !== undefined && f.high !== undefined && words.range ? text + words.range(String(f.low), String(f.high)) : text
}

/** filled puts the figures into a text, as the server prints it. */
export function filled(text: string, figures: readonly PaperFigure[], words: Parameters<typeof shown>[1]): string {
  return text.replace(/\{([a-z][a-z0-9_]*)\}/g, (whole, key: string) => {
    const f = figures.find((x) => x.key === key)
    return f ? shown(f, words) : whole
  })
}
