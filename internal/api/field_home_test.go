package api_test

import (
	"strings"
	"testing"

	"onemap/internal/auth"
)

// TestAnEndedPhoneIsToldSo: whoever is signed out gets 401 for his list, by which the
// phone wipes what it has of it; and what he got before was for nobody to keep.
func TestAnEndedPhoneIsToldSo(t *testing.T) {
	e := start(t)
	e.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	e.exec(`insert into restricted.household (admin_code, scope, head, phone, address, must_move, move) values ($1, code_scope($1), '王户主', '13700000001', '村口', true, '去学校')`, ownGrid)
	worker := e.desk("grid.worker", "王网格", auth.GridWorker, ownGrid)
	r := worker.must(200, nil, "POST", "/api/households/open", `{"reason":"转移前核对"}`)
	if !strings.Contains(string(r.body), "13700000001") || !strings.Contains(r.Header.Get("Cache-Control"), "no-store") || r.Header.Get("ETag") != "" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	worker.refused(422, "invalid", "POST", "/api/households/open", `{"reason":"看"}`)
	for _, path := range []string{"/api/search?q=王户主", "/api/sync/changes", "/api/contacts?area=" + ownGrid, "/api/tasks", "/api/notices", "/api/field/home"} {
		if r := worker.ask("GET", path, ""); strings.Contains(string(r.body), "13700000001") || strings.Contains(string(r.body), "王户主") {
			t.Errorf("%s shows the household: %s", path, r.body)
		}
	}
	var n int
	if err := e.conn.QueryRow(t.Context(), `select count(*) from change_log where layer like '%household%'`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows of the feed tell of households, %v", n, err)
	}
	if strings.Contains(e.logs.String(), "13700000001") {
		t.Error("a telephone is in the log")
	}
	worker.must(204, nil, "DELETE", "/api/session", "")
	worker.refused(401, "not_signed_in", "POST", "/api/households/open", `{"reason":"转移前核对"}`)
}
