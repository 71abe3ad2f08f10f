package zoning

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// canonical is the one spelling of a UUID that the database answers, so that ids of
// clients and of rows compare as text.
func canonical(id string) (string, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return "", false
	}
	low := strings.ToLower(id)
	raw, err := hex.DecodeString(low[:8] + low[9:13] + low[14:18] + low[19:23] + low[24:])
	if err != nil {
		return "", false
	}
	for _, b := range raw {
		if b != 0 {
			return low, true
		}
	}
	return "", false
}

// newID makes a UUID of version 7.
func newID(at time.Time) string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails (crypto/rand)
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(u[:6], ms[2:])
	u[6] = 0x70 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
