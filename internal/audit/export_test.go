package audit

import "time"

// FormatForTest is a message with what people write in it.
func FormatForTest(actor, object, text, host string) []byte {
	m := message{at: time.Unix(1, 0), id: "a.b", outcome: Done, text: text}
	for _, name := range []string{"seq", "seal", "actor", "name", "account", "role", "grant", "kind", "session", "peer", "request", "action", "object", "area", "outcome", "from", "to"} {
		v := "12345678-1234"
		if name == "actor" || name == "name" {
			v = actor
		}
		if name == "object" {
			v = object
		}
		m.params = append(m.params, [2]string{name, v})
	}
	return m.format(13, host)
}
