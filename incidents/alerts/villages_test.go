package alerts_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/alerts"
	"onemap/internal/db"
)

// node is what is read of a plan.
type node struct {
	Relation string  `json:"Relation Name"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []node  `json:"Plans"`
}

func (n node) loops(relation string) (most float64) {
	if n.Relation == relation {
		most = n.Loops
	}
	for _, p := range n.Plans {
		most = max(most, p.loops(relation))
	}
	return most
}

// TestAWarningOverHundredsOfVillages: the list of households is read once, not once for
// each village, which for a whole city would take minutes; each village has its own.
func TestAWarningOverHundredsOfVillages(t *testing.T) {
	h := open(t)
	h.exec(`insert into admin (code, admin_code, name, rank, parent_code, population, households, geom)
		select c, c, '村' || i, 5, '990100101', 100, 30, st_makeenvelope(119 + i * 0.0005, 34.2, 119.0005 + i * 0.0005, 34.3, 4490) from generate_series(1, 450) i, lateral (select (990100101100 + i)::text c) v`)
	h.exec(`insert into restricted.household (admin_code, scope, head, persons, elderly, must_move) select a.code, code_scope(a.code), '户', 3, 1, i = 1 from admin a, generate_series(1, 4) i where a.name like '村%'`)
	h.exec(`analyze`)
	queries, err := alerts.Queries()
	if err != nil {
		t.Fatal(err)
	}
	rolled := errors.New("rolled back")
	err = h.db.Intake.Tx(t.Context(), db.System("test"), func(tx pgx.Tx) error {
		var id string
		if err := tx.QueryRow(t.Context(), `insert into alerts (name, level, admin_code, geom) values ('暴雨红色预警', 1, '990100', st_makeenvelope(119, 34, 119.4, 34.3, 4490)) returning id::text`).Scan(&id); err != nil {
			return err
		}
		var text []byte
		if err := tx.QueryRow(t.Context(), "explain (analyze, costs off, timing off, format json) "+queries.Get("targets"), id, 5, nil).Scan(&text); err != nil {
			return err
		}
		var plans []struct{ Plan node }
		if err := json.Unmarshal(text, &plans); err != nil {
			return err
		}
		if n := plans[0].Plan.loops("household"); n != 1 {
			t.Errorf("the list of households is read %.0f times", n)
		}
		var villages, listed, persons, weak, must int
		if err := tx.QueryRow(t.Context(), `select count(*)::int, sum(listed)::int, sum(listed_persons)::int, sum(weak)::int, sum(must_move)::int from alert_targets where alert = $1`, id).Scan(&villages, &listed, &persons, &weak, &must); err != nil {
			return err
		}
		if villages != 452 || listed != 1801 || persons != 5404 || weak != 1802 || must != 451 {
			t.Errorf("%d villages, %d households, %d persons, %d weak, %d must move", villages, listed, persons, weak, must)
		}
		return rolled
	})
	if !errors.Is(err, rolled) {
		t.Fatal(err)
	}
}
