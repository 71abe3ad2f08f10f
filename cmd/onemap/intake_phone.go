package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"onemap/internal/blobs"
)

// phone is one device of a load run. It does what the page on a phone does: reports first,
// photos after them, one at a time; what is refused for load is sent again, unchanged.
type phone struct {
	load   *load
	n      int
	at     place
	device string
	cookie string
	seq    int
}

func hashOf(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// newID is a UUID of version 7, as phones make them.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	ms := uint64(time.Now().UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// photo is an image of the wished size that nobody else has.
func (p *phone) photo(n int) []byte {
	r := mathrand.New(mathrand.NewPCG(uint64(p.n), uint64(n)))
	img := image.NewGray(image.Rect(0, 0, 32, 24))
	for i := range img.Pix {
		img.Pix[i] = byte(r.UintN(256))
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, nil) // into memory
	body := b.Bytes()
	for len(body) < p.load.flags.photoKB<<10 {
		v := r.Uint64()
		body = append(body, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return body
}

func (p *phone) deliver(ctx context.Context) error {
	for first := 0; first < p.load.flags.each; first += p.load.flags.batch {
		last := min(first+p.load.flags.batch, p.load.flags.each)
		var ops []any
		var photos [][]byte
		ids := map[string]string{} // operation: report
		for n := first; n < last; n++ {
			photo := p.photo(n)
			photos = append(photos, photo)
			op, id := newID(), newID()
			ids[op] = id
			p.seq++
			ops = append(ops, map[string]any{
				"op_id": op, "op": "put", "kind": "incident_reports", "id": id, "device_seq": p.seq,
				"fields": map[string]any{
					"kind": map[string]any{"value": "other"}, "urgency": map[string]any{"value": "damage"}, "grid": map[string]any{"value": p.at.code},
					"description": map[string]any{"value": fmt.Sprintf("%s %d", p.device, n)},
				},
				"geometry": map[string]any{"type": "Point", "coordinates": []float64{p.at.lon, p.at.lat}},
				"blobs":    []string{hashOf(photo)}, "captured_at": time.Now().Format(time.RFC3339Nano), "src_crs": "CGCS2000", "accuracy_m": 8,
				"device_position": map[string]any{"type": "Point", "coordinates": []float64{p.at.lon, p.at.lat}},
			})
		}
		body, err := json.Marshal(map[string]any{"device": p.device, "ops": ops})
		if err != nil {
			return err
		}
		if err := p.sync(ctx, body, ids); err != nil {
			return err
		}
		// The answer of every fourth delivery is lost on the way: the phone sends it again.
		if (first/p.load.flags.batch+p.n)%4 == 0 {
			p.load.mu.Lock()
			p.load.report.Repeated++
			p.load.mu.Unlock()
			if err := p.sync(ctx, body, nil); err != nil {
				return err
			}
		}
		for _, photo := range photos {
			if err := p.send(ctx, photo); err != nil {
				return err
			}
		}
	}
	return nil
}

// sync delivers operations; ids are those whose verdicts count. What was not received is
// sent again, with all the rest, as a phone does that cannot know.
func (p *phone) sync(ctx context.Context, body []byte, ids map[string]string) error {
	wait := 200 * time.Millisecond
	for try := 0; ; try++ {
		a, err := p.ask(ctx, http.MethodPost, "/api/sync", body, &p.load.sync, "Content-Type", "application/json")
		if err != nil {
			return err
		}
		var got struct {
			Results []verdict `json:"results"`
		}
		if a.status != http.StatusOK || json.Unmarshal(a.body, &got) != nil {
			return fmt.Errorf("sync: %d %.300s", a.status, a.body)
		}
		left := p.judged(got.Results, ids)
		if left == 0 {
			return nil
		}
		if try >= patience || ctx.Err() != nil {
			return fmt.Errorf("sync: %d operations were never received", left)
		}
		p.load.again()
		select {
		case <-ctx.Done():
		case <-time.After(max(wait, a.after) + time.Duration(mathrand.Int64N(int64(100*time.Millisecond)))):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// verdict is the answer on one operation.
type verdict struct {
	OpID   string `json:"op_id"`
	Status string `json:"status"`
	Was    string `json:"verdict"`
	// Problem is why it is not simply applied.
	Problem struct {
		Code string `json:"code"`
	} `json:"problem"`
}

// judged counts the verdicts and says how many operations have none yet. One that arrived
// with a delivery before is acknowledged by how it stands.
func (p *phone) judged(results []verdict, ids map[string]string) (left int) {
	for _, r := range results {
		if r.Status == "retry" {
			left++
			continue
		}
		id, first := ids[r.OpID]
		if !first {
			if ids == nil && r.Status != "duplicate" {
				p.load.verdict("repeated as " + r.Status)
			}
			continue
		}
		status := r.Status
		if status == "duplicate" {
			status = r.Was
		}
		delete(ids, r.OpID)
		told := status
		if r.Problem.Code != "" {
			told += " " + r.Problem.Code
		}
		p.load.verdict(told)
		if status != "rejected" {
			p.load.mu.Lock()
			if status == "quarantined" {
				p.load.waiting = append(p.load.waiting, id)
			}
			p.load.acknowledged = append(p.load.acknowledged, id)
			p.load.mu.Unlock()
		}
	}
	return left
}

// send brings one photo, piece by piece, each from where the server has it.
func (p *phone) send(ctx context.Context, photo []byte) error {
	name := hashOf(photo)
	for from, wrong := 0, 0; ; {
		to := min(from+blobs.MaxPiece, len(photo))
		a, err := p.ask(ctx, http.MethodPut, "/api/blobs/"+name, photo[from:to], &p.load.blob,
			"Content-Type", "image/jpeg", "Upload-Offset", strconv.Itoa(from), "Upload-Length", strconv.Itoa(len(photo)))
		if err != nil {
			return err
		}
		if a.status == http.StatusConflict && wrong < patience {
			// The answer before was lost, or refused after the bytes were there.
			wrong++
			p.load.again()
			if n, err := strconv.Atoi(a.offset); err == nil && n >= 0 && n <= len(photo) {
				from = n
			}
			continue
		}
		var st struct {
			Offset   int  `json:"offset"`
			Complete bool `json:"complete"`
		}
		if a.status >= 300 || json.Unmarshal(a.body, &st) != nil {
			return fmt.Errorf("photo: %d %.300s", a.status, a.body)
		}
		if st.Complete {
			p.load.mu.Lock()
			p.load.photos = append(p.load.photos, name)
			p.load.mu.Unlock()
			return nil
		}
		from = st.Offset
	}
}

// patience is how often a phone asks again.
const patience = 200

// reply is an answer, as far as a phone looks at it.
type reply struct {
	status int
	body   []byte
	after  time.Duration // not before
	offset string        // where an upload goes on
}

// ask sends a request until it is answered with more than "later".
func (p *phone) ask(ctx context.Context, method, path string, body []byte, into *times, headers ...string) (reply, error) {
	wait := 200 * time.Millisecond
	for try := 0; ; try++ {
		started := time.Now()
		a, err := p.once(ctx, method, path, body, headers)
		if err == nil && a.status < 500 && a.status != http.StatusTooManyRequests {
			into.add(time.Since(started))
			return a, nil
		}
		if try >= patience || ctx.Err() != nil {
			return a, errors.Join(fmt.Errorf("%s %s: %d after %d tries: %.200s", method, path, a.status, try+1, a.body), err)
		}
		p.load.again()
		select {
		case <-ctx.Done():
		case <-time.After(max(wait, a.after) + time.Duration(mathrand.Int64N(int64(100*time.Millisecond)))):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

func (p *phone) once(ctx context.Context, method, path string, body []byte, headers []string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.load.url+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Cookie", "onemap="+p.cookie)
	req.Header.Set("Onemap-Device", p.device)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.load.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return reply{resp.StatusCode, answer, time.Duration(seconds) * time.Second, resp.Header.Get("Upload-Offset")}, err
}

// readTiles is a map somebody moves about in.
func (l *load) readTiles(ctx context.Context, seed uint64) {
	r := mathrand.New(mathrand.NewPCG(seed, 99))
	for ctx.Err() == nil {
		at := l.places[r.IntN(len(l.places))]
		z := 11 + r.IntN(5)
		n := math.Exp2(float64(z))
		lat := at.lat * math.Pi / 180
		x, y := int((at.lon+180)/360*n), int((1-math.Asinh(math.Tan(lat))/math.Pi)/2*n)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/tiles/admin,buildings,grids,hazards,roads/%d/%d/%d.mvt", l.url, z, x, y), http.NoBody)
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "Bearer "+l.reader)
		req.Header.Set("Accept-Encoding", "gzip")
		started := time.Now()
		resp, err := l.client.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err == nil && resp.StatusCode < 300 {
				l.tile.add(time.Since(started))
			} else if err == nil {
				l.verdict("tile " + strconv.Itoa(resp.StatusCode))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
