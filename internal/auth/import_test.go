package auth_test

import (
	"fmt"
	"testing"

	"onemap/internal/auth"
)

func TestImportPeople(t *testing.T) {
	h := open(t)
	h.person("adm", auth.Admin, county, county)
	h.person("taken", auth.Viewer, county, county)
	_, by := h.in("adm")
	rows := []auth.NewPerson{
		{Row: 2, NewAccount: auth.NewAccount{Username: "new2", Name: "二", Unit: town}},
		{Row: 3, NewAccount: auth.NewAccount{Username: "taken", Name: "三", Unit: town}},
		{Row: 4, NewAccount: auth.NewAccount{Username: "new1", Name: "一", Unit: county, Phone: "13800138000"}},
		{Row: 5, NewAccount: auth.NewAccount{Username: "far", Name: "五", Unit: other}},
		{Row: 6, NewAccount: auth.NewAccount{Username: "NEW1", Name: "六", Unit: town}},
		{Row: 7, NewAccount: auth.NewAccount{Username: "nowhere", Name: "七"}},
	}
	for _, dry := range []bool{true, false} {
		r, err := h.node.ImportPeople(t.Context(), by, rows, dry)
		if err != nil {
			t.Fatal(err)
		}
		bad := ""
		for _, i := range r.Rejected {
			bad += fmt.Sprint(i.Row, " ")
		}
		if r.Accepted != 2 || bad != "3 5 6 7 " || len(r.Activations) != map[bool]int{true: 0, false: 2}[dry] {
			t.Errorf("dry %v: %+v", dry, r)
		}
		if n := h.count(`select count(*) from auth.account where username like 'new%'`); n != map[bool]int{true: 0, false: 2}[dry] {
			t.Errorf("dry %v left %d accounts", dry, n)
		}
		for _, a := range r.Activations {
			if o, err := h.node.Activate(t.Context(), h.by(nil), a.Token, password); err != nil || len(o.Identity.Grants) != 0 {
				t.Errorf("%s: %+v, %v", a.Username, o, err)
			}
		}
	}
	if n := h.count(`select count(*) from audit.entry where action = 'account.import' and after::text like '%new1%'`); n != 1 {
		t.Errorf("%d audit rows", n)
	}
	if n := h.count(`select count(*) from audit.entry where after::text like '%13800138000%'`); n != 0 {
		t.Error("a telephone number stands in the audit")
	}
	_, worker := h.in("taken")
	_, err := h.node.ImportPeople(t.Context(), worker, rows, true)
	wantErr(t, "a viewer imports", err, auth.ErrForbidden)
}
