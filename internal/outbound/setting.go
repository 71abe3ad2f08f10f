package outbound

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// SettingKey names where warnings may be passed on to. Nothing goes anywhere else.
const SettingKey = "alert_outbound"

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

// Fault says what is wrong with a setting.
type Fault struct{ Path, ZH, EN string }

func (f *Fault) Error() string { return "outbound: " + f.Path + ": " + f.EN }

var idText = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`) //nolint:gochecknoglobals // compiled once

// Parse reads and checks the setting. The error is a *[Fault].
func Parse(raw json.RawMessage) (Setting, error) {
	bad := func(path, zh, en string) (Setting, error) { return Setting{}, &Fault{path, zh, en} }
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
		if !idText.MatchString(id) || seen[id] {
			return &Fault{path + ".id", "应为小写字母开头的名称，且不重复", "it is a name in small letters, and no other has it"}
		}
		if n := utf8.RuneCountInString(title); n < 1 || n > 60 || strings.ContainsAny(title, "\r\n\t\x00") {
			return &Fault{path + ".title", "一行，1–60 字", "one line of 1 to 60 characters"}
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
