package alerts

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/registry"
)

// SettingKey names where warnings may be passed on to. Nothing goes anywhere else.
const SettingKey = "alert_outbound"

// Destination is one place a warning may be passed on to.
type Destination struct {
	Kind  string // webhook, drop
	ID    string
	Title string
	URL   string // of a webhook
}

// Setting is the value of [SettingKey].
type Setting struct {
	Webhooks []Webhook `json:"webhooks"`
	Drops    []Drop    `json:"drops"`
}

// Webhook is an address a warning is posted to.
type Webhook struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Drop is a directory of ours another system reads.
type Drop struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

var destinationID = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`) //nolint:gochecknoglobals // compiled once

// ParseSetting reads and checks the setting. The error is an *[auth.Invalid].
func ParseSetting(raw json.RawMessage) (Setting, error) {
	bad := func(path, zh, en string) (Setting, error) {
		return Setting{}, &auth.Invalid{Items: []auth.Fault{{Path: path, Code: "not_of_its_kind", ZH: zh, EN: en}}}
	}
	var s *Setting
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || dec.More() || s == nil {
		return bad("value", `应为 {"webhooks":[{"id","title","url"}],"drops":[{"id","title"}]}`, `it is {"webhooks":[{"id","title","url"}],"drops":[{"id","title"}]}`)
	}
	if len(s.Webhooks)+len(s.Drops) > 50 {
		return bad("value", "不超过 50 个去处", "at most 50 destinations")
	}
	seen := map[string]bool{}
	check := func(path, id, title string) error {
		if !destinationID.MatchString(id) || seen[id] {
			_, err := bad(path+".id", "应为小写字母开头的名称，且不重复", "it is a name in small letters, and no other has it")
			return err
		}
		if n := utf8.RuneCountInString(title); n < 1 || n > 60 || strings.ContainsAny(title, "\r\n\t\x00") {
			_, err := bad(path+".title", "一行，1–60 字", "one line of 1 to 60 characters")
			return err
		}
		seen[id] = true
		return nil
	}
	for i, w := range s.Webhooks {
		path := fmt.Sprintf("value.webhooks[%d]", i)
		if err := check(path, w.ID, w.Title); err != nil {
			return Setting{}, err
		}
		u, err := url.Parse(w.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || len(w.URL) > 500 {
			return bad(path+".url", "应为 http(s) 地址，不含用户名与片段", "it is an http(s) address without a user and without a fragment")
		}
	}
	for i, d := range s.Drops {
		if err := check(fmt.Sprintf("value.drops[%d]", i), d.ID, d.Title); err != nil {
			return Setting{}, err
		}
	}
	return *s, nil
}

// DestinationsOf are the places the setting names now.
func DestinationsOf(snap *registry.Snapshot) []Destination {
	raw, ok := snap.Settings[SettingKey]
	if !ok {
		return nil
	}
	s, err := ParseSetting(raw)
	if err != nil {
		return nil
	}
	out := make([]Destination, 0, len(s.Webhooks)+len(s.Drops))
	for _, w := range s.Webhooks {
		out = append(out, Destination{"webhook", w.ID, w.Title, w.URL})
	}
	for _, d := range s.Drops {
		out = append(out, Destination{"drop", d.ID, d.Title, ""})
	}
	return out
}

var errGone = errors.New("the destination is no longer in the setting")

const (
	firstWait = 5 * time.Second
	longest   = 10 * time.Minute
	giveUp    = 24 * time.Hour
)

// backoff is how long to wait after so many attempts.
func backoff(attempts int) time.Duration {
	d := firstWait
	for i := 1; i < attempts && d < longest; i++ {
		d *= 2
	}
	return min(d, longest)
}
