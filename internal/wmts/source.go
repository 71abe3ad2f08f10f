package wmts

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SettingKey is the setting that lists the sources.
const SettingKey = "basemaps"

// The grids a source may have.
const (
	GridW = "w" // EPSG:3857: TileMatrixSet w of 天地图, WebMercatorQuad
	GridC = "c" // EPSG:4490: TileMatrixSet c of 天地图, 2^z by 2^(z-1) tiles from (90, -180)
)

// Source is a base map somebody else serves.
type Source struct {
	ID          string  `json:"id"`
	Title       string  `json:"title"`
	TitleEN     string  `json:"title_en,omitempty"`
	URL         string  `json:"url"` // with {z}, {x}, {y}: matrix, column, row; a key stands in it as it is
	Grid        string  `json:"grid"`
	Attribution string  `json:"attribution,omitempty"`
	Approval    string  `json:"approval,omitempty"` // 审图号
	MinZoom     int     `json:"min_zoom"`
	MaxZoom     int     `json:"max_zoom"`
	Opacity     float64 `json:"opacity,omitempty"` // 0 is 1
}

// Fault is what is wrong with a list of sources, in words of both languages.
type Fault struct{ Path, ZH, EN string }

func (f *Fault) Error() string { return "wmts: " + f.Path + ": " + f.EN }

const maxSources = 12

var idForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// ParseSources reads the setting. The error is a *[Fault].
func ParseSources(raw []byte) ([]Source, error) {
	var all []Source
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&all); err != nil || dec.More() {
		return nil, &Fault{"value", `应为底图数组,如 [{"id":"img","title":"影像","url":"http://主机/img_c/wmts?...&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}","grid":"c","min_zoom":1,"max_zoom":18}]`,
			`it is an array of base maps, as [{"id":"img","title":"Imagery","url":"http://host/img_c/wmts?...&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}","grid":"c","min_zoom":1,"max_zoom":18}]`}
	}
	if len(all) > maxSources {
		return nil, &Fault{"value", fmt.Sprintf("不超过 %d 个底图", maxSources), fmt.Sprintf("at most %d base maps", maxSources)}
	}
	seen := map[string]bool{}
	for i := range all {
		s := &all[i]
		if f := s.check(); f != nil {
			f.Path = fmt.Sprintf("value[%d].%s", i, f.Path)
			return nil, f
		}
		if seen[s.ID] {
			return nil, &Fault{fmt.Sprintf("value[%d].id", i), "底图标识重复", "two base maps have this id"}
		}
		seen[s.ID] = true
	}
	return all, nil
}

func (s *Source) check() *Fault {
	text := func(v string, most int) bool {
		return utf8.RuneCountInString(v) <= most && !strings.ContainsAny(v, "\r\n\t\x00")
	}
	switch {
	case !idForm.MatchString(s.ID):
		return &Fault{"id", "标识用小写字母、数字、- 和 _,以字母开头", "small letters, digits, - and _, beginning with a letter"}
	case strings.TrimSpace(s.Title) == "" || !text(s.Title, 40) || !text(s.TitleEN, 60):
		return &Fault{"title", "名称为 1 至 40 字", "a title of 1 to 40 characters"}
	case !text(s.Attribution, 120) || !text(s.Approval, 60):
		return &Fault{"attribution", "来源不超过 120 字,审图号不超过 60 字", "at most 120 and 60 characters"}
	case s.Grid != GridW && s.Grid != GridC:
		return &Fault{"grid", "格网为 w(EPSG:3857)或 c(EPSG:4490)", "the grid is w (EPSG:3857) or c (EPSG:4490)"}
	case s.MinZoom < 0 || s.MaxZoom > 22 || s.MinZoom > s.MaxZoom || s.Grid == GridC && s.MinZoom < 1:
		return &Fault{"min_zoom", "级别范围为 0 至 22(c 格网从 1 起)", "zooms lie between 0 and 22 (the c grid begins at 1)"}
	case s.Opacity < 0 || s.Opacity > 1:
		return &Fault{"opacity", "不透明度为 0 至 1", "the opacity lies between 0 and 1"}
	}
	for _, part := range []string{"{z}", "{x}", "{y}"} {
		if strings.Count(s.URL, part) != 1 {
			return &Fault{"url", "地址须各含一次 {z}、{x}、{y}", "the address has {z}, {x} and {y}, once each"}
		}
	}
	if _, err := s.address(1, 0, 0); err != nil || len(s.URL) > 1000 {
		return &Fault{"url", "须为 http 或 https 地址,主机名里没有变量和口令", "an http or https address without variables or a password in its host"}
	}
	return nil
}

// address is where a tile of the source's own grid lies.
func (s *Source) address(z, x, y int) (*url.URL, error) {
	full := strings.NewReplacer("{z}", strconv.Itoa(z), "{x}", strconv.Itoa(x), "{y}", strconv.Itoa(y)).Replace(s.URL)
	u, err := url.Parse(full)
	if err != nil {
		return nil, err
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(s.URL, "http://"), "https://"), "/")
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.Contains(host, "{") {
		return nil, errors.New("wmts: not an address")
	}
	return u, nil
}
