package registry_test

import (
	"testing"

	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

func open(t *testing.T) (*registry.Registry, pgtest.DSNs) {
	t.Helper()
	dsn := pgtest.Database(t)
	d, err := db.Open(t.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	r, err := registry.Open(t.Context(), d.Query)
	if err != nil {
		t.Fatal(err)
	}
	return r, dsn
}

func TestEveryStatementFitsTheSchema(t *testing.T) {
	q, err := registry.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Fatal(err)
	}
}

// TestCatalogueHangsTogether holds what the map, the importer and the questions
// take for granted of every layer.
func TestCatalogueHangsTogether(t *testing.T) {
	r, _ := open(t)
	s := r.Now()
	themes := map[string]bool{}
	for _, th := range s.Themes {
		themes[th.ID] = true
	}
	for _, l := range s.Layers {
		if !themes[l.Theme] {
			t.Errorf("%s: theme %q is unknown", l.ID, l.Theme)
		}
		if l.Title.ZH == "" || l.Title.EN == "" {
			t.Errorf("%s: a title is missing", l.ID)
		}
		for what, name := range map[string]string{"label": l.LabelField, "level": l.LevelField, "kind": l.KindField} {
			if name == "" {
				continue
			}
			f, ok := l.Field(name)
			if !ok || !f.Tile {
				t.Errorf("%s: the %s field %q is not in the tiles", l.ID, what, name)
			}
		}
		ladders := []string{}
		if l.Ladder != "" {
			ladders = append(ladders, l.Ladder)
		}
		if l.LadderBy != nil {
			for _, id := range l.LadderBy.Map {
				ladders = append(ladders, id)
			}
		}
		if l.LevelField != "" && len(ladders) == 0 {
			t.Errorf("%s has levels and no ladder", l.ID)
		}
		for _, id := range ladders {
			if c, ok := s.CodeLists[id]; !ok || !c.Ladder {
				t.Errorf("%s: %q is no ladder", l.ID, id)
			}
		}
		for _, f := range l.Fields {
			if f.Title.ZH == "" || f.Title.EN == "" {
				t.Errorf("%s.%s has no title", l.ID, f.Name)
			}
			if c, ok := s.CodeLists[f.CodeList]; f.CodeList != "" && (!ok || len(c.Items) == 0) {
				t.Errorf("%s.%s: code list %q is empty", l.ID, f.Name, f.CodeList)
			}
			if (f.Type == registry.Code) != (f.CodeList != "") {
				t.Errorf("%s.%s: type %s with code list %q", l.ID, f.Name, f.Type, f.CodeList)
			}
		}
	}
}

// TestLaddersAreSafe: level 1 is the worst and first, marks tell levels apart
// without colour, and a risk ladder never borrows a warning colour.
func TestLaddersAreSafe(t *testing.T) {
	r, _ := open(t)
	s := r.Now()
	warning := map[string]bool{}
	for _, it := range s.CodeLists["warning_4"].Items {
		warning[it.Color], warning[it.ColorDark] = true, true
	}
	for id, c := range s.CodeLists {
		if !c.Ladder {
			continue
		}
		marks := map[string]bool{}
		for i, it := range c.Items {
			if it.Level != i+1 {
				t.Errorf("%s: item %s stands at place %d with level %d", id, it.Code, i+1, it.Level)
			}
			if it.Color == "" || it.ColorDark == "" || it.Texture == "" || marks[it.Mark.ZH] || it.Mark.EN == "" {
				t.Errorf("%s level %d: colour, texture or a mark of its own is missing", id, it.Level)
			}
			marks[it.Mark.ZH] = true
			if id != "warning_4" && id != "dual_4" && (warning[it.Color] || warning[it.ColorDark]) {
				t.Errorf("%s level %d uses a warning colour", id, it.Level)
			}
		}
	}
}

func TestReloadSeesASetting(t *testing.T) {
	r, dsn := open(t)
	before := r.Now()
	if before.Home().Code != "" || before.Location().String() != "Asia/Shanghai" {
		t.Errorf("fresh settings: home %+v, zone %s", before.Home(), before.Location())
	}
	conn := pgtest.Connect(t, dsn.App)
	if _, err := conn.Exec(t.Context(), `update setting set value = '{"code": "990100", "title": "示例县"}' where key = 'home'`); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Now().Home().Code != "990100" {
		t.Errorf("home after reload: %+v", r.Now().Home())
	}
	if before.Home().Code != "" {
		t.Error("the old snapshot changed under its reader")
	}
	var reported bool
	if err := conn.QueryRow(t.Context(), `select exists (select from change_log where layer = '$registry' and actor = 'onemap_app')`).Scan(&reported); err != nil || !reported {
		t.Errorf("the feed does not report the setting: %v", err)
	}
}
