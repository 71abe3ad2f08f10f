package demostore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/demo"
)

// command writes the contingency plans and the response to the storm, with its tasks, a
// paper that was reported first, and who sits at the desk. Told again at a later hour the
// response is of that hour.
func (s *Store) command(ctx context.Context, dataset string, c *demo.County) error {
	w, r := c.Command, c.Command.Response
	if r.ID == "" {
		return nil // of a county that has none
	}
	type block struct {
		Key   string `json:"key"`
		Title string `json:"title"`
		Text  string `json:"text"`
	}
	type figure struct {
		Key    string    `json:"key"`
		Title  string    `json:"title"`
		Value  float64   `json:"value"`
		Unit   string    `json:"unit"`
		Method string    `json:"method"`
		AsOf   time.Time `json:"as_of"`
		Source string    `json:"source"`
		Kind   string    `json:"kind"`
	}
	at := r.Adjusted.Add(15 * time.Minute).UTC().Truncate(time.Second)
	blocks, err := json.Marshal([]block{
		{"facts", "一、基本情况", "受强降雨影响，部分乡镇出现积水和险情，县防指已将防汛应急响应调整为 Ⅲ 级。"},
		{"figures", "二、灾情数据", "死亡 {deaths}，紧急转移 {evacuated}。"}, {"next", "三、下一步工作", "继续巡查隐患点，加密会商，情况随时续报。"},
	})
	if err != nil {
		return fmt.Errorf("demostore: command: %w", err)
	}
	figures, err := json.Marshal([]figure{
		{"deaths", "死亡", 0, "人", "逐级上报，取最近一次报告的数", at, "各乡镇", "reported"}, {"evacuated", "紧急转移", 12, "人", "逐级上报，取最近一次报告的数", at, "各乡镇", "reported"},
	})
	if err != nil {
		return fmt.Errorf("demostore: command: %w", err)
	}
	towns := make([]string, 0, len(w.Plans))
	err = s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		var b pgx.Batch
		for _, p := range w.Plans {
			b.Queue(s.queries.Get("command_plan"), dataset, p.ID, p.Title, p.Kind, p.Hazard, p.Area, p.Unit, p.Number, p.Lead, p.Issued, p.Review)
			for i, k := range p.Clauses {
				b.Queue(s.queries.Get("command_clause"), p.ID, i+1, k.Level, k.Minutes, k.Action, k.Unit, k.Text)
			}
		}
		for _, n := range c.Field.Notices {
			towns = append(towns, n.Areas...)
		}
		b.Queue(s.queries.Get("command_stale"), dataset, c.Options.Now)
		b.Queue(s.queries.Get("command_stale_response"), dataset, c.Options.Now)
		b.Queue(s.queries.Get("command_response"), dataset, r.ID, r.Title, r.Kind, r.Plan, r.Condition, r.Lead, w.Leader, r.Started, r.Adjusted, w.Officer)
		b.Queue(s.queries.Get("command_acts"), r.ID)
		b.Queue(s.queries.Get("command_tasks"), r.ID, dataset, towns)
		b.Queue(s.queries.Get("command_paper"), dataset, r.Paper, blocks, figures, r.ID)
		b.Queue(s.queries.Get("command_seat"), dataset, c.Options.Now.Add(-100*time.Minute), w.Officer)
		return tx.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return fmt.Errorf("demostore: command: %w", err)
	}
	return nil
}

// forgetCommand takes out what the demonstration made of the command centre, and what
// people made of its response.
func (s *Store) forgetCommand(ctx context.Context, dataset string) error {
	for _, name := range []string{"remove_command_papers", "remove_command_tasks", "remove_command_response", "remove_command_plans", "remove_command_seat"} {
		err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, s.queries.Get(name), dataset)
			return err
		})
		if err != nil {
			return fmt.Errorf("demostore: %s: %w", name, err)
		}
	}
	return nil
}
