package dangers

import (
	"testing"
)

// BenchmarkLedger asks a ledger of 50,000 dangers, what a busy county collects in two years.
func BenchmarkLedger(b *testing.B) {
	o := newOffice(b)
	o.exec(`select set_config('app.bulk', 'on', false)`)
	o.exec(`insert into dangers (admin_code, kind, state, level, responsible_unit, due_at, rectified_at, closed_at, found_at, geom)
		select '990100101001', 'fire', case when i % 10 = 0 then 'rectifying' else 'closed' end, 2, '单位' || i % 40, now() + (i % 30 - 20) * interval '1 day', now() - interval '9 days',
			case when i % 10 > 0 then now() - interval '8 days' end, now() - interval '30 days', st_setsrid(st_makepoint(119.01 + (i % 1000) * 1e-5, 34.1 + (i / 1000) * 1e-4), 4490)
		from generate_series(1, 50000) i`)
	o.exec(`analyze dangers`)
	yes := true
	for name, ask := range map[string]func() error{
		"page":         func() error { _, err := o.s.Dangers(b.Context(), o.duty.Identity, Query{}); return err },
		"overdue":      func() error { _, err := o.s.Dangers(b.Context(), o.duty.Identity, Query{Overdue: &yes}); return err },
		"search":       func() error { _, err := o.s.Dangers(b.Context(), o.duty.Identity, Query{Text: "单位7"}); return err },
		"page_of_unit": func() error { _, err := o.s.Dangers(b.Context(), o.unit.Identity, Query{}); return err },
		"summary": func() error {
			_, err := o.s.Summary(b.Context(), o.duty.Identity, SummaryQuery{By: "unit"})
			return err
		},
		"reminders": func() error { _, _, err := o.s.Reminders(b.Context(), o.duty.Identity, 0, ""); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
