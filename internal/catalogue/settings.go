package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/decision"
	"onemap/internal/geo"
	"onemap/internal/outbound"
	"onemap/internal/poll"
	"onemap/internal/registry"
	"onemap/internal/wmts"
)

// Setting is one value of the installation. Value is what holds: what somebody set,
// else the default.
type Setting struct {
	Key       string
	Title     registry.Title
	Needs     auth.Permission
	Value     json.RawMessage
	Set       bool
	UpdatedAt time.Time
	UpdatedBy string
	Version   int64 // 0 while nobody set it
}

const (
	syslogKey   = "syslog"
	maxProposed = 9 << 10 // what fits into a decision
)

// knob is a setting the program knows.
type knob struct {
	key      string
	title    registry.Title
	needs    auth.Permission
	standard func() any
	check    func(raw json.RawMessage) error
	second   string // action of the decision another person takes; "" where one is enough
}

// knobs are all settings an administrator may change. What the program reads and is
// not here cannot be set by mistake.
func knobs() []knob {
	title := func(zh, en string) registry.Title { return registry.Title{ZH: zh, EN: en} }
	word := func(s string) func() any { return func() any { return s } }
	number := func(n int) func() any { return func() any { return n } }
	return []knob{
		{"home", title("地图打开的区域", "Where the map opens"), auth.ManageSystem, func() any { return map[string]string{"code": "", "title": ""} }, checkHome, ""},
		{"timezone", title("时区", "Time zone"), auth.ManageSystem, word("Asia/Shanghai"), checkZone, ""},
		{"map_approval", title("审图号", "Map approval number"), auth.ManageSystem, word(""), checkText(60), ""},
		{"watermark", title("全图水印", "Watermark of the map"), auth.ManageSystem, word(""), checkText(30), ""},
		{wmts.SettingKey, title("局域网底图(WMTS)", "Base maps of the intranet (WMTS)"), auth.ManageSystem, func() any { return []wmts.Source{} }, checkBasemaps, ""},
		{poll.SettingKey, title("雨水情来源(轮询)", "Sources of observations (polled)"), auth.ManageSystem, func() any { return poll.Setting{Allow: []string{}, Sources: []poll.Source{}} }, checkPoll, ""},
		{outbound.SettingKey, title("预警转发去处", "Where warnings are passed on to"), auth.ManageSystem, func() any { return map[string][]string{"webhooks": {}, "drops": {}} }, checkOutbound, ""},
		{auth.SecurityKey, title("登录与密码", "Signing in and passwords"), auth.ManageSecurity, func() any { return auth.DefaultSecurity() }, func(raw json.RawMessage) error { return auth.CheckSecurity(raw) }, ""},
		{syslogKey, title("审计外送", "Audit to syslog"), auth.ManageSecurity, func() any { return nil }, checkSyslog, decision.Syslog},
		{"audit_keep_days", title("审计保存天数", "Days the audit is kept"), auth.ManageSecurity, number(183), checkNumber(183, 36500), ""},
		{"countersign_hours", title("补签时限(小时)", "Hours until a countersignature is overdue"), auth.ManageSecurity, number(24), checkNumber(1, 168), ""},
	}
}

func fault(path, code, zh, en string) error {
	return &auth.Invalid{Items: []auth.Fault{{Path: path, Code: code, ZH: zh, EN: en}}}
}

func checkHome(raw json.RawMessage) error {
	var h struct {
		Code  *string `json:"code"`
		Title *string `json:"title"`
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil || dec.More() || h.Code == nil {
		return fault("value", "not_of_its_kind", `应为 {"code": "行政区划代码", "title": "名称"}`, `it is {"code": "administrative code", "title": "name"}`)
	}
	if *h.Code != "" {
		if _, err := geo.ParseScope(*h.Code); err != nil {
			return fault("value.code", "not_a_code", "不是行政区划代码", "it is no administrative code")
		}
	}
	if h.Title != nil && utf8.RuneCountInString(*h.Title) > 60 {
		return fault("value.title", "length", "不超过 60 字", "at most 60 characters")
	}
	return nil
}

func checkZone(raw json.RawMessage) error {
	var name string
	if err := json.Unmarshal(raw, &name); err != nil || name == "" || name == "Local" {
		return fault("value", "not_of_its_kind", "应为 IANA 时区名，如 Asia/Shanghai", "it is the IANA name of a zone, as Asia/Shanghai")
	}
	if _, err := time.LoadLocation(name); err != nil {
		return fault("value", "unknown", "没有这个时区", "there is no such zone")
	}
	return nil
}

func checkBasemaps(raw json.RawMessage) error {
	_, err := wmts.ParseSources(raw)
	if f, ok := errors.AsType[*wmts.Fault](err); ok {
		return fault(f.Path, "not_of_its_kind", f.ZH, f.EN)
	}
	return err
}

func checkPoll(raw json.RawMessage) error {
	_, err := poll.Parse(raw)
	if f, ok := errors.AsType[*poll.Fault](err); ok {
		return fault(f.Path, "not_of_its_kind", f.ZH, f.EN)
	}
	return err
}

func checkOutbound(raw json.RawMessage) error {
	_, err := outbound.Parse(raw)
	if f, ok := errors.AsType[*outbound.Fault](err); ok {
		return fault(f.Path, "not_of_its_kind", f.ZH, f.EN)
	}
	return err
}

func checkText(limit int) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var text *string
		if err := json.Unmarshal(raw, &text); err != nil || text == nil {
			return fault("value", "not_of_its_kind", "应为文字", "it is a text")
		}
		if utf8.RuneCountInString(*text) > limit || strings.ContainsAny(*text, "\r\n\t") {
			return fault("value", "length", fmt.Sprintf("一行，不超过 %d 字", limit), fmt.Sprintf("one line of at most %d characters", limit))
		}
		return nil
	}
}

func checkNumber(least, most int) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var n *int
		if err := json.Unmarshal(raw, &n); err != nil || n == nil || *n < least || *n > most {
			return fault("value", "out_of_range", fmt.Sprintf("应为 %d 到 %d 之间的整数", least, most), fmt.Sprintf("it is a whole number between %d and %d", least, most))
		}
		return nil
	}
}

// checkSyslog refuses what the program would not read: it stands in the audit as it is
// given. An address outside is a decision of two, see [Store.Effects].
func checkSyslog(raw json.RawMessage) error {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	var known *struct {
		Address  string `json:"address"`
		TLS      *bool  `json:"tls"`
		CA       string `json:"ca"`
		Facility *int   `json:"facility"`
	}
	err := dec.Decode(&known)
	if err == nil {
		_, err = audit.ParseTarget(raw)
	}
	if err != nil || dec.More() {
		return fault("value", "not_of_its_kind", `应为 {"address": "主机:端口", "ca": "PEM", "facility": 13} 或 null;地址不写协议即为 TLS,明文须写 tcp:// 或 udp://,且不与 tls 矛盾`,
			`it is {"address": "host:port", "ca": "PEM", "facility": 13} or null; an address without a scheme is TLS, in clear is tcp:// or udp://, and tls does not say otherwise`)
	}
	return nil
}
