package poll

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/geo"
)

// SettingKey is the setting that lists addresses and sources.
const SettingKey = "observation_sources"

// The formats.
const (
	CSV  = "csv"
	JSON = "json"
)

// Setting is all of it.
type Setting struct {
	Allow   []string `json:"allow"` // host names, addresses or ranges that may be asked
	Sources []Source `json:"sources"`
}

// Source is an address that is asked again and again, and how its answer is read.
type Source struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	URL     string `json:"url"` // a key stands in it as it is
	Format  string `json:"format"`
	EveryS  int    `json:"every_s"`
	Area    string `json:"area,omitempty"`  // only stations in it
	Rows    string `json:"rows,omitempty"`  // json: path of the array, "" the answer itself
	Comma   string `json:"comma,omitempty"` // csv: the separator, a comma by default
	Station string `json:"station"`         // column or path of the station's id or code
	At      string `json:"at"`
	// Layout is Go's of a time without a zone; "" is RFC 3339, "unix" and "unix_ms" are numbers.
	Layout string `json:"layout,omitempty"`
	Zone   string `json:"zone,omitempty"` // Asia/Shanghai by default
	// Values are columns or paths by measure: {"rain_1h": "RainfallElement.Past1hr.Precipitation"}.
	// The measure "" is what the station is about.
	Values  map[string]string `json:"values"`
	Missing []string          `json:"missing,omitempty"` // what the source writes for "no value"
}

// Every is how often a source is asked.
func (s Source) Every() time.Duration { return time.Duration(s.EveryS) * time.Second }

// Fault is what is wrong with the setting, in words of both languages.
type Fault struct{ Path, ZH, EN string }

func (f *Fault) Error() string { return "poll: " + f.Path + ": " + f.EN }

var (
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	hostForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$`)
	measureForm = regexp.MustCompile(`^([a-z][a-z0-9_]{0,31})?$`)
)

const maxSources = 32

// Parse reads the setting. The error is a *[Fault].
func Parse(raw []byte) (Setting, error) {
	var s Setting
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || dec.More() {
		return Setting{}, &Fault{"value", `应为 {"allow": ["主机"], "sources": [{"name": "hydro", "url": "http://主机/rain.json", "format": "json", "every_s": 300, "rows": "records", "station": "id", "at": "time", "values": {"rain": "mm"}}]}`,
			`it is {"allow": ["host"], "sources": [{"name": "hydro", "url": "http://host/rain.json", "format": "json", "every_s": 300, "rows": "records", "station": "id", "at": "time", "values": {"rain": "mm"}}]}`}
	}
	if len(s.Allow) > 100 || len(s.Sources) > maxSources {
		return Setting{}, &Fault{"value", "至多 100 个地址、32 个来源", "at most 100 addresses and 32 sources"}
	}
	for i, a := range s.Allow {
		if _, err := netip.ParsePrefix(a); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(a); err == nil {
			continue
		}
		if !hostForm.MatchString(a) {
			return Setting{}, &Fault{fmt.Sprintf("value.allow[%d]", i), "应为小写主机名、地址或网段", "it is a host name in small letters, an address or a range"}
		}
	}
	seen := map[string]bool{}
	for i, src := range s.Sources {
		if f := src.check(s); f != nil {
			f.Path = fmt.Sprintf("value.sources[%d].%s", i, f.Path)
			return Setting{}, f
		}
		if seen[src.Name] {
			return Setting{}, &Fault{fmt.Sprintf("value.sources[%d].name", i), "来源名重复", "two sources have this name"}
		}
		seen[src.Name] = true
	}
	return s, nil
}

func (s Source) check(all Setting) *Fault {
	plain := func(v string, most int) bool {
		return utf8.RuneCountInString(v) <= most && !strings.ContainsAny(v, "\r\n\x00")
	}
	switch {
	case !nameForm.MatchString(s.Name):
		return &Fault{"name", "来源名用小写字母、数字、- 和 _，以字母开头", "small letters, digits, - and _, beginning with a letter"}
	case !plain(s.Title, 60):
		return &Fault{"title", "名称不超过 60 字", "at most 60 characters"}
	case s.Format != CSV && s.Format != JSON:
		return &Fault{"format", "格式为 csv 或 json", "the format is csv or json"}
	case s.EveryS < 30 || s.EveryS > 86400:
		return &Fault{"every_s", "间隔为 30 至 86400 秒", "between 30 and 86400 seconds"}
	case s.Station == "" || !plain(s.Station, 200) || s.At == "" || !plain(s.At, 200) || !plain(s.Rows, 200) || !plain(s.Layout, 60):
		return &Fault{"station", "须写明站号与时间所在的列或路径", "say in which column or path the station and the time are"}
	case len(s.Values) == 0 || len(s.Values) > 20 || len(s.Missing) > 20:
		return &Fault{"values", "须有 1 至 20 个监测量", "1 to 20 measures"}
	case s.Comma != "" && (utf8.RuneCountInString(s.Comma) != 1 || strings.ContainsAny(s.Comma, "\"\r\n")):
		return &Fault{"comma", "分隔符为一个字符", "the separator is one character"}
	}
	for m, where := range s.Values {
		if !measureForm.MatchString(m) || where == "" || !plain(where, 200) {
			return &Fault{"values", "监测量如 rain、rain_1h、level，对应列或路径", "measures as rain, rain_1h, level, each with its column or path"}
		}
	}
	if s.Area != "" {
		if _, err := geo.ParseScope(s.Area); err != nil {
			return &Fault{"area", "不是行政区划代码", "it is no administrative code"}
		}
	}
	if _, err := s.zone(); err != nil {
		return &Fault{"zone", "没有这个时区", "there is no such zone"}
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(s.URL) > 1000 || u.Fragment != "" {
		return &Fault{"url", "应为 http 或 https 地址，不含口令", "an http or https address without a password"}
	}
	if !all.allows(u.Hostname()) {
		return &Fault{"url", "主机不在允许的地址里", "the host is not among the allowed addresses"}
	}
	return nil
}

func (s Source) zone() (*time.Location, error) {
	name := s.Zone
	if name == "" {
		name = "Asia/Shanghai"
	}
	return time.LoadLocation(name)
}

// allows says whether a host as it is written may be asked.
func (s Setting) allows(host string) bool {
	host = strings.ToLower(host)
	if a, err := netip.ParseAddr(host); err == nil {
		return s.listed(a)
	}
	return slices.Contains(s.Allow, host)
}

// listed says whether an address itself is on the list.
func (s Setting) listed(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(s.Allow, func(line string) bool {
		if p, err := netip.ParsePrefix(line); err == nil {
			return p.Masked().Contains(a)
		}
		one, err := netip.ParseAddr(line)
		return err == nil && one.Unmap() == a
	})
}
