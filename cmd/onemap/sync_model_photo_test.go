package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/jpeg"
	"slices"
	"strconv"
	"time"
)

// take makes photos; sometimes it is one that another phone has too.
func (p *modelPhone) take(n int) (names []string) {
	w := p.w
	for range n {
		w.mu.Lock()
		var name string
		if len(w.photos) > 0 && p.rng.IntN(6) == 0 {
			all := make([]string, 0, len(w.photos))
			for sha := range w.photos {
				all = append(all, sha)
			}
			slices.Sort(all)
			name = all[p.rng.IntN(len(all))]
		} else {
			img := image.NewGray(image.Rect(0, 0, 32, 24))
			for i := range img.Pix {
				img.Pix[i] = byte(p.rng.UintN(256))
			}
			var b bytes.Buffer
			_ = jpeg.Encode(&b, img, nil) // into memory
			for range p.rng.IntN(40_000) {
				b.WriteByte(byte(p.rng.UintN(256)))
			}
			name = hashOf(b.Bytes())
			w.photos[name] = b.Bytes()
		}
		w.mu.Unlock()
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if !slices.Contains(p.photos, name) && !p.whole[name] {
			p.photos = append(p.photos, name)
		}
	}
	return names
}

// sendPhoto goes on with one photo where it stopped, as the page does; with trouble the
// line breaks, bytes turn over, and it begins at the wrong place.
func (p *modelPhone) sendPhoto(trouble bool) {
	if len(p.photos) == 0 {
		return
	}
	w := p.w
	name := p.photos[p.rng.IntN(len(p.photos))]
	w.mu.Lock()
	body := w.photos[name]
	w.mu.Unlock()
	path := "/api/blobs/" + name
	begins := func() int {
		a := p.ask(context.Background(), "HEAD", path, nil)
		if a.status != 200 {
			return 0
		}
		n, _ := strconv.Atoi(a.header.Get("Upload-Offset"))
		return n
	}
	at := begins()
	for range 12 {
		to := min(len(body), at+1+p.rng.IntN(len(body)))
		if p.rng.IntN(3) == 0 {
			to = len(body)
		}
		piece, from := slices.Clone(body[min(at, len(body)):to]), at
		ctx := context.Background()
		if trouble {
			switch p.rng.IntN(12) {
			case 0:
				from += 7
			case 1:
				short, cancel := context.WithTimeout(ctx, time.Duration(p.rng.IntN(20))*time.Millisecond)
				defer cancel()
				ctx = short
			case 2:
				if len(piece) > 0 {
					piece[p.rng.IntN(len(piece))] ^= 0x10
				}
			case 3:
				w.count1("photo left off")
				return
			}
		}
		a := p.ask(ctx, "PUT", path, piece, "Content-Type", "image/jpeg", "Upload-Offset", strconv.Itoa(from), "Upload-Length", strconv.Itoa(len(body)))
		w.count1("photo " + strconv.Itoa(a.status))
		var st struct {
			Offset   int  `json:"offset"`
			Complete bool `json:"complete"`
		}
		switch a.status {
		case 200, 201:
			w.must(json.Unmarshal(a.body, &st))
			if at = st.Offset; st.Complete {
				w.safe()
				p.whole[name] = true
				p.photos = slices.DeleteFunc(p.photos, func(s string) bool { return s == name })
				return
			}
		case 401:
			p.cookie = ""
			p.signIn()
			return
		case 403:
			// Whoever holds no grant and of whom nothing was taken may not leave files here.
			if p.refused(name) {
				p.photos = slices.DeleteFunc(p.photos, func(s string) bool { return s == name })
			}
			return
		case 409:
			n, err := strconv.Atoi(a.header.Get("Upload-Offset"))
			if err != nil {
				time.Sleep(20 * time.Millisecond) // another request is writing it
				n = begins()
			}
			at = n
		case 0, 422:
			at = begins()
		default:
			time.Sleep(20 * time.Millisecond)
			return
		}
	}
}

// refused says whether no operation of his that names the photo was kept.
func (p *modelPhone) refused(sha string) bool {
	return p.w.count(`select count(*) from sync_op where account = $2 and status <> 'rejected' and position($1 in body::text) > 0`, sha, p.w.accounts[p.user]) == 0
}
