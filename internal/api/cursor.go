package api

import (
	"encoding/base64"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// cursor says where the next page begins: after key, in the same query, at the same
// moment. Clients treat it as opaque. It is not signed: everything in it is checked
// like any other parameter and grants nothing.
type cursor struct {
	asked uint64 // fingerprint of the query
	now   time.Time
	key   string
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte("1|" + strconv.FormatUint(c.asked, 36) + "|" + strconv.FormatInt(c.now.UnixMicro(), 36) + "|" + c.key))
}

func readCursor(s string) (cursor, bool) {
	if len(s) > 512 {
		return cursor{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || !cleanText(string(b)) {
		return cursor{}, false
	}
	parts := strings.SplitN(string(b), "|", 4)
	if len(parts) != 4 || parts[0] != "1" || parts[3] == "" {
		return cursor{}, false
	}
	asked, err1 := strconv.ParseUint(parts[1], 36, 64)
	micros, err2 := strconv.ParseInt(parts[2], 36, 64)
	now := time.UnixMicro(micros).UTC()
	if err1 != nil || err2 != nil || now.Year() < 2000 || now.Year() > 9999 {
		return cursor{}, false
	}
	return cursor{asked: asked, now: now, key: parts[3]}, true
}

// fingerprint binds a cursor to its query. limit may change between pages.
func fingerprint(layer string, q Query) uint64 {
	h := fnv.New64a()
	write := func(s string) {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	write(layer)
	for _, p := range q {
		if p.Name != "cursor" && p.Name != "limit" {
			write(p.Name)
			write(p.Value)
		}
	}
	return h.Sum64()
}

// encodeQuery writes the query of a link, with the cursor replaced.
func encodeQuery(q Query, next string) string {
	var parts []string
	for _, p := range q {
		if p.Name == "cursor" && next != "" {
			continue
		}
		parts = append(parts, url.QueryEscape(p.Name)+"="+url.QueryEscape(p.Value))
	}
	if next != "" {
		parts = append(parts, "cursor="+next)
	}
	if len(parts) == 0 {
		return ""
	}
	return "?" + strings.Join(parts, "&")
}
