package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

func val(v any) map[string]any { return map[string]any{"value": v} }

// known are the records of a kind the phone has, in an order of their own.
func (p *modelPhone) known(kind string) (out []modelRecord) {
	for _, r := range p.records {
		if r.Kind == kind {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b modelRecord) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (p *modelPhone) any(kind string) (modelRecord, bool) {
	list := p.known(kind)
	if len(list) == 0 {
		return modelRecord{}, false
	}
	return list[p.rng.IntN(len(list))], true
}

func (p *modelPhone) place() map[string]any {
	b := modelGrids[p.w.gridOf(p.user)]
	return map[string]any{"type": "Point", "coordinates": []float64{b[0] + 0.02 + 0.06*p.rng.Float64(), b[1] + 0.02 + 0.06*p.rng.Float64()}}
}

// mark makes an operation; edits, deletions and steps start from what the phone knows.
func (p *modelPhone) mark() {
	w := p.w
	o := &modelOp{id: p.id(), device: p.device, kind: "hazards"}
	body := map[string]any{
		"op_id": o.id, "captured_at": time.Now().Add(p.clockOff).Format(time.RFC3339Nano), "accuracy_m": 5 + p.rng.IntN(30),
		"src_crs": []string{"WGS84", "GCJ02", "CGCS2000"}[p.rng.IntN(3)],
	}
	o.body, o.token = body, "词"+o.id
	switch dice := p.rng.IntN(100); {
	case dice < 55:
		p.hazard(o)
	case dice < 70:
		p.danger(o)
	case dice < 80:
		p.report(o)
	case dice < 87:
		o.kind, o.field = "patrols", "note"
		body["id"], body["fields"] = p.id(), map[string]any{"kind": val("patrol"), "result": val("normal"), "note": val(o.token)}
		body["geometry"] = p.place()
	case dice < 91:
		o.kind, o.field = "shelter_checks", "note"
		body["id"], body["fields"] = p.id(), map[string]any{"shelter": val(w.shelter[w.gridOf(p.user)]), "result": val("ok"), "note": val(o.token)}
	case dice < 96:
		p.task(o)
	default:
		n, ok := p.any("notices")
		if !ok {
			p.hazard(o)
			break
		}
		o.kind, o.token = "acks", ""
		body["id"], body["fields"] = p.id(), map[string]any{"notice": val(n.ID), "read_at": val(time.Now().Format(time.RFC3339))}
	}
	body["kind"], o.object = o.kind, body["id"].(string)
	if p.rng.IntN(4) == 0 {
		o.blobs = p.take(1 + p.rng.IntN(2))
		body["blobs"] = o.blobs
	}
	urgent := false
	if f, ok := body["fields"].(map[string]any)["urgency"].(map[string]any); ok {
		urgent = f["value"] == "urgent"
	}
	if !urgent { // 险情 has no number: it must not wait for one before it
		p.seq++
		o.seq = p.seq
		body["device_seq"] = o.seq
	}
	p.outbox = append(p.outbox, o)
	w.mu.Lock()
	w.ops[o.id] = o
	w.mu.Unlock()
}

func (p *modelPhone) hazard(o *modelOp) {
	body := o.body
	body["fields"] = map[string]any{}
	known, ok := p.any("hazards")
	if mine, found := p.unsent(); found && p.rng.IntN(3) == 0 {
		known, ok = mine, true
	}
	switch dice := p.rng.IntN(100); {
	case dice < 40 || !ok:
		o.field = "name"
		body["id"] = p.id()
		body["fields"] = map[string]any{"name": val(o.token), "hazard": val("landslide"), "level": val(1 + p.rng.IntN(4))}
		body["geometry"] = p.place()
		switch p.rng.IntN(14) {
		case 0:
			body["geometry"] = map[string]any{"type": "Point", "coordinates": []float64{113.5, 33.5}}
		case 1:
			body["captured_at"] = "1970-01-01T00:00:00Z"
		case 2:
			body["fields"].(map[string]any)["level"] = val("most")
		case 3:
			body["geometry"] = map[string]any{"type": "Polygon", "coordinates": [][][]float64{{{110.01, 30.01}, {110.02, 30.02}, {110.02, 30.01}, {110.01, 30.02}, {110.01, 30.01}}}}
		case 4:
			body["captured_at"] = "2100-01-01T00:00:00Z"
		case 5:
			body["surprise"] = 1
		}
	case dice < 85:
		body["id"] = known.ID
		if known.Version > 0 {
			body["base_version"] = known.Version
		}
		name := []string{"name", "measure", "address", "description", "threatened_persons"}[p.rng.IntN(5)]
		var v any = o.token
		switch {
		case name == "threatened_persons":
			v, o.token = p.rng.IntN(9), ""
		case p.rng.IntN(3) == 0:
			v, o.token = fmt.Sprint(name, p.rng.IntN(4)), "" // what two may write alike
		default:
			o.field = name
		}
		body["fields"] = map[string]any{name: map[string]any{"base": known.Fields[name], "value": v}}
		if p.rng.IntN(5) == 0 && known.Version > 0 {
			body["geometry"], body["src_crs"] = map[string]any{"base": known.Geometry, "value": p.place()}, "CGCS2000"
		}
	default:
		o.token = ""
		body["id"], body["op"] = known.ID, "delete"
		if known.Version > 0 {
			body["base_version"] = known.Version
		}
	}
}

// unsent is a hazard the phone made and nobody has taken yet, as he sees it: with what he
// changed since.
func (p *modelPhone) unsent() (modelRecord, bool) {
	var out modelRecord
	for _, o := range p.outbox {
		if o.kind != "hazards" || o.device != p.device || out.ID != "" && o.object != out.ID {
			continue
		}
		if out.ID == "" && (o.body["op"] != nil || o.body["geometry"] == nil || o.body["base_version"] != nil || o.body["fields"].(map[string]any)["hazard"] == nil) {
			continue
		}
		if o.body["op"] != nil {
			return modelRecord{}, false // he took it back
		}
		if out.ID == "" {
			out = modelRecord{Kind: o.kind, ID: o.object, Fields: map[string]json.RawMessage{}}
		}
		for name, f := range o.body["fields"].(map[string]any) {
			out.Fields[name] = asJSON(f.(map[string]any)["value"])
		}
	}
	return out, out.ID != ""
}

func (p *modelPhone) danger(o *modelOp) {
	o.kind, o.field = "dangers", "description"
	body := o.body
	known, ok := p.any("dangers")
	switch dice := p.rng.IntN(100); {
	case dice < 50 || !ok:
		body["id"], body["geometry"] = p.id(), p.place()
		body["fields"] = map[string]any{"kind": val("fire"), "description": val(o.token)}
	case dice < 75:
		body["id"], body["base_version"] = known.ID, known.Version
		body["fields"] = map[string]any{"description": map[string]any{"base": known.Fields["description"], "value": o.token}}
	case dice < 85:
		o.token = ""
		body["id"], body["op"], body["base_version"], body["fields"] = known.ID, "delete", known.Version, map[string]any{}
	default:
		o.token = ""
		body["id"], body["op"], body["to"], body["note"] = known.ID, "transition", []string{"reviewing", "closed", "verified", "nowhere"}[p.rng.IntN(4)], "已处理"
		body["fields"], body["blobs"] = map[string]any{}, nil
		o.blobs = p.take(1)
		body["blobs"] = o.blobs
	}
}

func (p *modelPhone) report(o *modelOp) {
	o.kind, o.field = "incident_reports", "description"
	body := o.body
	if known, ok := p.any("incident_reports"); ok && p.rng.IntN(3) == 0 {
		body["id"], body["base_version"] = known.ID, known.Version
		body["fields"] = map[string]any{"description": map[string]any{"base": known.Fields["description"], "value": o.token}}
		return
	}
	body["id"], body["geometry"] = p.id(), p.place()
	urgency := []string{"urgent", "damage"}[p.rng.IntN(2)]
	body["fields"] = map[string]any{"kind": val("other"), "urgency": val(urgency), "description": val(o.token), "grid": val(p.w.gridOf(p.user))}
	if urgency == "urgent" {
		switch p.rng.IntN(4) {
		case 0:
			body["captured_at"] = "1970-01-01T00:00:00Z"
		case 1:
			delete(body, "geometry")
		case 2:
			body["geometry"] = map[string]any{"type": "Point", "coordinates": []float64{113.5, 33.5}}
		}
	}
}

func (p *modelPhone) task(o *modelOp) {
	known, ok := p.any("tasks")
	if !ok {
		p.hazard(o)
		return
	}
	o.kind, o.field = "tasks", "result"
	o.body["id"], o.body["op"], o.body["fields"] = known.ID, "transition", map[string]any{}
	switch p.rng.IntN(4) {
	case 0, 1:
		o.token = ""
		o.body["to"] = "accepted"
	case 2:
		o.body["to"], o.body["fields"] = "done", map[string]any{"result": val(o.token)}
	default:
		o.token = ""
		o.body["to"], o.body["note"] = "handed_back", "去不了"
	}
}
