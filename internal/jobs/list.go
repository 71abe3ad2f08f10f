package jobs

import (
	"context"
	"regexp"

	"onemap/internal/auth"
	"onemap/internal/db"
)

var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) //nolint:gochecknoglobals // compiled once

// Get is one job: of the asker, or anybody's for who manages the system.
func (r *Runner) Get(ctx context.Context, who *auth.Identity, id string) (Job, error) {
	if !uuidText.MatchString(id) {
		return Job{}, auth.ErrNotFound
	}
	claims, account, err := r.asker(who, true)
	if err != nil {
		return Job{}, auth.ErrNotFound
	}
	list, err := r.read(ctx, claims, "get", id, account, deadAfter.Seconds())
	if err != nil {
		return Job{}, err
	}
	if len(list) == 0 {
		return Job{}, auth.ErrNotFound
	}
	return list[0], nil
}

// List is jobs, the newest first, without their results.
func (r *Runner) List(ctx context.Context, who *auth.Identity, q Query) ([]Job, error) {
	claims, account, err := r.asker(who, q.All)
	if err != nil {
		return nil, err
	}
	if q.All && account != nil {
		return nil, auth.ErrForbidden
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 50
	}
	return r.read(ctx, claims, "list", account, string(q.State), q.Kind, q.Object, min(limit, 200), deadAfter.Seconds())
}

// asker gives the claims to read with, and the account whose jobs are meant: nil is
// everybody's.
func (r *Runner) asker(who *auth.Identity, all bool) (db.Claims, *string, error) {
	if who == nil || !who.SignedIn() || who.Account == "" {
		return db.Claims{}, nil, auth.ErrForbidden
	}
	if all && who.May(auth.ManageSystem, r.now()) {
		return db.System(who.Actor()), nil, nil
	}
	return who.Reading(), &who.Account, nil
}

// Cancel asks a job to stop, on whatever node it runs. It is over when its function has
// stopped: one that was just about to be done may still be done.
func (r *Runner) Cancel(ctx context.Context, by auth.By, id string) error {
	j, err := r.Get(ctx, by.Identity, id)
	if err != nil {
		return err
	}
	over := &auth.Conflict{Code: "ended", ZH: "任务已结束", EN: "the job is over"}
	if j.State.Ended() {
		return over
	}
	n, err := r.exec(ctx, "ask_cancel", id)
	if err != nil {
		return err
	}
	if n == 0 {
		return over
	}
	running, waiting := r.open()
	for _, t := range running {
		if t.id == id {
			t.stop(errCancelled)
		}
	}
	for _, t := range waiting {
		if t.id == id && r.unqueue(t) {
			r.end(t, Cancelled, nil, errCancelled)
		}
	}
	return nil
}
