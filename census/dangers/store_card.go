package dangers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// Responsible is somebody who answers for an object. His telephone is elsewhere.
type Responsible struct{ Kind, Unit, Post, Person string }

// Shelter is where people go.
type Shelter struct {
	Name, Address string
	Capacity      int
	DistanceM     float64 // negative: not known
}

// Card is what the 岗位处置卡 of a hazard point or a danger says.
type Card struct {
	Layer, ID, Number, Name, Kind string
	Level                         int
	Persons, Households           int
	Measure, Address, Monitor     string
	People                        []Responsible
	Todo                          []string
	Signal, Phones                string
	Shelter                       *Shelter
	At                            orb.Geometry
	Scope                         geo.Scope
	Danger                        *Danger
	Demo                          bool
	RuleVersion                   int
	RuleVerified                  bool
}

type postCard struct {
	Signal  string              `json:"signal"`
	Phones  string              `json:"phones"`
	Hazards map[string][]string `json:"hazards"`
	Dangers map[string][]string `json:"dangers"`
	Usual   []string            `json:"usual"`
}

func (s *Service) words(c *Card, kind string) error {
	rs, ok := s.catalogue.Now().Rules["post_card"]
	if !ok {
		return errors.New("dangers: there is no rule set post_card")
	}
	var w postCard
	if err := json.Unmarshal(rs.Body, &w); err != nil {
		return fmt.Errorf("dangers: rule set post_card: %w", err)
	}
	c.Signal, c.Phones, c.RuleVersion, c.RuleVerified = w.Signal, w.Phones, rs.Version, rs.Verified
	list := w.Hazards
	if c.Layer == "dangers" {
		list = w.Dangers
	}
	if c.Todo = list[kind]; len(c.Todo) == 0 {
		c.Todo = w.Usual
	}
	return nil
}

// HazardCard is the card of a hazard point the asker may see.
func (s *Service) HazardCard(ctx context.Context, who *auth.Identity, id string) (Card, error) {
	if !records.IsID(id) {
		return Card{}, auth.ErrNotFound
	}
	c := Card{Layer: "hazards"}
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		var g geo.Shape
		shelter := ""
		err := tx.QueryRow(ctx, s.queries.Get("card_hazard"), id).Scan(&c.ID, &c.Number, &c.Name, &c.Kind, &c.Level, &c.Persons, &c.Households, &c.Measure, &c.Address, &c.Monitor, &shelter, &g, &c.Scope, &c.Demo)
		if errors.Is(err, pgx.ErrNoRows) {
			return auth.ErrNotFound
		}
		if err != nil {
			return err
		}
		c.At = g.Geometry
		return s.around(ctx, tx, &c, shelter)
	})
	if err != nil {
		return Card{}, wrap("card", err)
	}
	return c, s.words(&c, c.Kind)
}

// DangerCard is the card of a danger the asker may see.
func (s *Service) DangerCard(ctx context.Context, who *auth.Identity, id string) (Card, error) {
	d, err := s.Danger(ctx, who, id)
	if err != nil {
		return Card{}, err
	}
	c := Card{Layer: "dangers", ID: d.ID, Number: d.Number, Name: d.Name, Kind: d.Kind, Level: d.Level, Measure: d.InterimMeasure, At: d.Geometry, Scope: d.Scope, Danger: &d, Demo: d.Demo}
	if err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error { return s.around(ctx, tx, &c, "") }); err != nil {
		return Card{}, wrap("card", err)
	}
	return c, s.words(&c, c.Kind)
}

// around finds who answers for an object and where people go.
func (s *Service) around(ctx context.Context, tx pgx.Tx, c *Card, shelter string) error {
	rows, err := tx.Query(ctx, s.queries.Get("card_people"), c.Layer, c.ID, c.Scope)
	if err != nil {
		return err
	}
	if c.People, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Responsible]); err != nil {
		return err
	}
	if c.At == nil && shelter == "" {
		return nil
	}
	var sh Shelter
	err = tx.QueryRow(ctx, s.queries.Get("card_shelter"), orNil(shelter), geo.Shape{Geometry: c.At}).Scan(&sh.Name, &sh.Address, &sh.Capacity, &sh.DistanceM)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		c.Shelter = &sh
	}
	return err
}
