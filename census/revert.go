package census

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrNotRevertible means a run cannot be taken back.
var ErrNotRevertible = errors.New("census: cannot be reverted")

// Reverted is what taking a run back did.
type Reverted struct {
	Dataset                     string
	Removed, Restored, Returned int64 // inserted rows deleted, changed rows put back, deleted rows brought back
	Kept                        []Kept
}

// Kept is a row that somebody changed after the run; it is left as it is.
type Kept struct{ Layer, Key, Name string }

// Revert takes a run back, in chunks: rows nobody touched since get the state they
// had before it; the others are listed. It may be repeated after it was interrupted.
func (im *Importer) Revert(ctx context.Context, importID string, actor string) (Reverted, error) {
	var out Reverted
	if !isUUID(importID) {
		return out, fmt.Errorf("%w: %q is no import id", ErrNotRevertible, clip(importID, 40))
	}
	info, err := im.store.importInfo(ctx, importID)
	if err != nil {
		return out, err
	}
	out.Dataset = info.name
	if info.state == "staging" || info.state == "reverted" {
		return out, fmt.Errorf("%w: state is %s", ErrNotRevertible, info.state)
	}
	cat, err := im.store.catalogue(ctx)
	if err != nil {
		return out, err
	}
	for _, layer := range slices.Backward(info.layers) {
		l, err := cat.layer(layer)
		if err != nil {
			return out, err
		}
		if err := im.store.revertLayer(ctx, importID, info.dataset, l, actorOr(actor), &out); err != nil {
			return out, fmt.Errorf("census: revert %s: %w", layer, err)
		}
	}
	_, err = im.store.exec(ctx, actorOr(actor), "import_state", importID, "reverted")
	return out, err
}

// Remove takes a whole data set out: rows of every layer, keys, runs, plans, and what
// hangs on them. It answers how many rows went, per layer.
func (im *Importer) Remove(ctx context.Context, name, actor string) (map[string]int64, error) {
	removed := map[string]int64{}
	id, err := im.store.findDataset(ctx, name)
	if errors.Is(err, errNoRows) {
		return removed, nil
	}
	if err != nil {
		return removed, err
	}
	cat, err := im.store.catalogue(ctx)
	if err != nil {
		return removed, err
	}
	actor = actorOr(actor)
	if _, err := im.store.exec(ctx, actor, "dataset_forget_others", id); err != nil {
		return removed, err
	}
	for _, layer := range slices.Sorted(maps.Keys(cat.layers)) {
		for {
			n, err := im.store.removeChunk(ctx, cat.layers[layer], id, actor)
			if err != nil {
				return removed, fmt.Errorf("census: remove from %s: %w", layer, err)
			}
			if n == 0 {
				break
			}
			removed[layer] += n
		}
	}
	if _, err = im.store.exec(ctx, actor, "dataset_forget_plans", id); err != nil {
		return removed, err
	}
	_, err = im.store.exec(ctx, actor, "dataset_forget", id)
	return removed, err
}

// DemoDatasets names the data sets a demo made.
func (im *Importer) DemoDatasets(ctx context.Context) ([]string, error) {
	var out []string
	err := im.store.rows(ctx, "demo_dataset", nil, func(r resultRows) error {
		var n string
		if err := r.Scan(&n); err != nil {
			return err
		}
		out = append(out, n)
		return nil
	})
	return out, err
}
