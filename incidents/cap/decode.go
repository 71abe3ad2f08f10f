package cap

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"
)

// Decode reads a message. What was found beside it is not fatal; a message that cannot be
// taken is a *[Refused], and what could be read of it comes with it.
func Decode(data []byte) (*Message, []Finding, error) {
	root, err := tree(data)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{}
	if root.name != "alert" || root.space != Namespace && root.space != namespace11 {
		return nil, nil, refuse("not_cap", "不是 CAP 1.2 报文(根元素应为 alert)", "it is no CAP 1.2 message: the root is alert of "+Namespace)
	}
	if root.space == namespace11 {
		r.found.odd("older_version", "alert", "报文为 CAP 1.1，按 1.2 读取", "the message is CAP 1.1 and read as 1.2")
	}
	m := r.message(root)
	if Fatal(r.found) {
		return m, r.found, &Refused{r.found}
	}
	return m, r.found, nil
}

type reader struct {
	found     findings
	positions int
}

// MaxPositions is how many corners the areas of a message may have in all.
const MaxPositions = 10_000

// element is what a type of the schema says of one child: at most once or many, needed or
// not.
type element struct {
	name         string
	many, needed bool
}

func one(name string) element  { return element{name: name} }
func many(name string) element { return element{name: name, many: true} }
func need(e element) element   { e.needed = true; return e }

// children sorts the children of a node by the schema's type, and says what does not fit.
func (r *reader) children(n *node, path string, schema []element) map[string][]*node {
	out := map[string][]*node{}
	at := 0
	if n.attributes {
		r.found.odd("attribute", path, "有不应有的属性", "it has an attribute it should not have")
	}
	if len(bytes.TrimSpace(n.text)) > 0 {
		r.found.odd("stray_text", path, "元素之间有多余文字", "there is text between the elements")
	}
	for _, k := range n.kids {
		i := slices.IndexFunc(schema, func(e element) bool { return e.name == k.name })
		switch {
		case k.space == signature && n.name == "alert":
			r.found.note("signature_not_checked", path, "报文带数字签名，本系统未验签", "the message is signed; the signature was not checked")
			at = len(schema)
			continue
		case i < 0 || k.space != n.space:
			r.found.odd("unknown_element", path+"/"+clip(k.name), "有 CAP 没有的元素，已忽略", "there is an element CAP does not have; it was left out")
			continue
		case i < at:
			r.found.odd("order", path+"/"+k.name, "元素次序不合规范", "the elements are not in the order of the standard")
		default:
			at = i
		}
		if len(out[k.name]) > 0 && !schema[i].many {
			r.found.broken("repeated", path+"/"+k.name, "元素重复", "the element appears twice")
			continue
		}
		out[k.name] = append(out[k.name], k)
	}
	for _, e := range schema {
		if e.needed && len(out[e.name]) == 0 {
			r.found.odd("missing", path+"/"+e.name, "缺少必填元素", "a required element is missing")
		}
	}
	return out
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// leaf is the text of an element that holds nothing else.
func (r *reader) leaf(n *node, path string) string {
	if n.attributes {
		r.found.odd("attribute", path, "有不应有的属性", "it has an attribute it should not have")
	}
	if len(n.kids) > 0 {
		r.found.odd("unknown_element", path, "此处只应有文字", "there should be text only")
	}
	return string(n.text)
}

func (r *reader) text(got map[string][]*node, name, path string) string {
	if len(got[name]) == 0 {
		return ""
	}
	return r.leaf(got[name][0], path+"/"+name)
}

func (r *reader) texts(got map[string][]*node, name, path string) (out []string) {
	for i, n := range got[name] {
		out = append(out, r.leaf(n, fmt.Sprintf("%s/%s[%d]", path, name, i)))
	}
	return out
}

// code reads a value of a list; what is no such value is stood in for, or refuses the
// message where nothing can.
func (r *reader) code(got map[string][]*node, name, path, instead string, list []string) string {
	if len(got[name]) == 0 {
		if instead == "" {
			r.found.broken("missing", path+"/"+name, "缺少 "+name, name+" is missing")
		}
		return instead
	}
	v, exact := oneOf(list, r.leaf(got[name][0], path+"/"+name))
	switch {
	case v == "" && instead == "":
		r.found.broken("unknown_value", path+"/"+name, "取值不在规范之内", "the value is none of the standard's")
	case v == "":
		r.found.odd("unknown_value", path+"/"+name, "取值不在规范之内，按 "+instead+" 处理", "the value is none of the standard's; taken as "+instead)
		return instead
	case !exact:
		r.found.odd("loose_value", path+"/"+name, "取值写法不合规范", "the value is not written as the standard has it")
	}
	return v
}

func (r *reader) time(got map[string][]*node, name, path string, needed bool) time.Time {
	if len(got[name]) == 0 {
		if needed {
			r.found.broken("missing", path+"/"+name, "缺少 "+name, name+" is missing")
		}
		return time.Time{}
	}
	t, exact, ok := instant(r.leaf(got[name][0], path+"/"+name))
	switch {
	case !ok:
		r.found.broken("bad_time", path+"/"+name, "时间应写作 2026-07-05T14:30:00+08:00", "a time is written 2026-07-05T14:30:00+08:00")
	case !exact:
		r.found.odd("loose_time", path+"/"+name, "时间写法不合规范", "the time is not written as the standard has it")
	}
	return t
}

func (r *reader) pairs(got map[string][]*node, name, path string) (out []Pair) {
	for i, n := range got[name] {
		at := fmt.Sprintf("%s/%s[%d]", path, name, i)
		kids := r.children(n, at, []element{need(one("valueName")), need(one("value"))})
		out = append(out, Pair{strings.TrimSpace(r.text(kids, "valueName", at)), strings.TrimSpace(r.text(kids, "value", at))})
	}
	return out
}

func (r *reader) message(n *node) *Message {
	const path = "alert"
	got := r.children(n, path, []element{need(one("identifier")), need(one("sender")), need(one("sent")), need(one("status")), need(one("msgType")), one("source"), need(one("scope")),
		one("restriction"), one("addresses"), many("code"), one("note"), one("references"), one("incidents"), many("info")})
	m := &Message{
		Identifier: strings.TrimSpace(r.text(got, "identifier", path)), Sender: strings.TrimSpace(r.text(got, "sender", path)), Sent: r.time(got, "sent", path, true),
		Status: r.code(got, "status", path, "", statuses()), MsgType: r.code(got, "msgType", path, "", msgTypes()), Source: r.text(got, "source", path),
		Scope: r.code(got, "scope", path, "Public", scopes()), Restriction: r.text(got, "restriction", path), Addresses: r.text(got, "addresses", path),
		Codes: r.texts(got, "code", path), Note: r.text(got, "note", path), Incidents: r.text(got, "incidents", path),
	}
	var ok bool
	if m.References, ok = references(r.text(got, "references", path)); !ok {
		r.found.note("bad_reference", path+"/references", "引用应写作 发布者,标识,时间", "a reference is written sender,identifier,sent")
	}
	for i, k := range got["info"] {
		m.Infos = append(m.Infos, r.info(k, fmt.Sprintf("%s/info[%d]", path, i)))
	}
	return m
}

func (r *reader) info(n *node, path string) Info {
	got := r.children(n, path, []element{one("language"), need(many("category")), need(one("event")), many("responseType"), need(one("urgency")), need(one("severity")), need(one("certainty")),
		one("audience"), many("eventCode"), one("effective"), one("onset"), one("expires"), one("senderName"), one("headline"), one("description"), one("instruction"), one("web"), one("contact"),
		many("parameter"), many("resource"), many("area")})
	i := Info{
		Language: strings.TrimSpace(r.text(got, "language", path)), Event: strings.TrimSpace(r.text(got, "event", path)),
		Urgency: r.code(got, "urgency", path, "Unknown", urgencies()), Severity: r.code(got, "severity", path, "Unknown", severities()), Certainty: r.code(got, "certainty", path, "Unknown", certainties()),
		Audience: r.text(got, "audience", path), EventCodes: r.pairs(got, "eventCode", path),
		Effective: r.time(got, "effective", path, false), Onset: r.time(got, "onset", path, false), Expires: r.time(got, "expires", path, false),
		SenderName: r.text(got, "senderName", path), Headline: r.text(got, "headline", path), Description: r.text(got, "description", path), Instruction: r.text(got, "instruction", path),
		Web: r.text(got, "web", path), Contact: r.text(got, "contact", path), Parameters: r.pairs(got, "parameter", path),
	}
	if len(got["language"]) > 0 && !language(i.Language) {
		r.found.odd("bad_language", path+"/language", "语言代码不合规范", "the language is none")
		i.Language = ""
	}
	for k, n := range got["category"] {
		i.Categories = append(i.Categories, r.code(map[string][]*node{"category": {n}}, "category", fmt.Sprintf("%s[%d]", path, k), "Other", categories()))
	}
	for k, n := range got["responseType"] {
		i.ResponseTypes = append(i.ResponseTypes, r.code(map[string][]*node{"responseType": {n}}, "responseType", fmt.Sprintf("%s[%d]", path, k), "None", responseTypes()))
	}
	for k, n := range got["resource"] {
		i.Resources = append(i.Resources, r.resource(n, fmt.Sprintf("%s/resource[%d]", path, k)))
	}
	for k, n := range got["area"] {
		i.Areas = append(i.Areas, r.area(n, fmt.Sprintf("%s/area[%d]", path, k)))
	}
	return i
}

func (r *reader) resource(n *node, path string) Resource {
	got := r.children(n, path, []element{need(one("resourceDesc")), need(one("mimeType")), one("size"), one("uri"), one("derefUri"), one("digest")})
	out := Resource{Desc: r.text(got, "resourceDesc", path), MimeType: r.text(got, "mimeType", path), Size: strings.TrimSpace(r.text(got, "size", path)), URI: r.text(got, "uri", path),
		DerefURI: r.text(got, "derefUri", path), Digest: r.text(got, "digest", path)}
	if len(got["size"]) > 0 && !whole(out.Size) {
		r.found.odd("bad_number", path+"/size", "应为整数", "it is a whole number")
		out.Size = ""
	}
	return out
}

func (r *reader) area(n *node, path string) Area {
	got := r.children(n, path, []element{need(one("areaDesc")), many("polygon"), many("circle"), many("geocode"), one("altitude"), one("ceiling")})
	a := Area{Desc: r.text(got, "areaDesc", path), Geocodes: r.pairs(got, "geocode", path), Altitude: strings.TrimSpace(r.text(got, "altitude", path)), Ceiling: strings.TrimSpace(r.text(got, "ceiling", path))}
	for _, v := range []struct {
		name string
		text *string
	}{{"altitude", &a.Altitude}, {"ceiling", &a.Ceiling}} {
		if len(got[v.name]) > 0 && !signed(*v.text) {
			r.found.odd("bad_number", path+"/"+v.name, "应为数字", "it is a number")
			*v.text = ""
		}
	}
	for k, text := range r.texts(got, "polygon", path) {
		at := fmt.Sprintf("%s/polygon[%d]", path, k)
		points, ok := ring(text)
		if !ok {
			r.found.fatal("bad_polygon", at, "多边形应写作 纬度,经度 纬度,经度 …", "a polygon is written lat,lon lat,lon …")
			continue
		}
		if r.positions += len(points); r.positions > MaxPositions {
			r.found.fatal("too_many_positions", at, fmt.Sprintf("区域顶点超过 %d 个", MaxPositions), fmt.Sprintf("the areas have more than %d corners", MaxPositions))
			return a
		}
		a.Polygons = append(a.Polygons, points)
	}
	for k, text := range r.texts(got, "circle", path) {
		at := fmt.Sprintf("%s/circle[%d]", path, k)
		c, ok := circle(text)
		if !ok {
			r.found.fatal("bad_circle", at, "圆应写作 纬度,经度 半径公里", "a circle is written lat,lon radius_km")
			continue
		}
		if r.positions += 64; r.positions > MaxPositions {
			r.found.fatal("too_many_positions", at, fmt.Sprintf("区域顶点超过 %d 个", MaxPositions), fmt.Sprintf("the areas have more than %d corners", MaxPositions))
			return a
		}
		a.Circles = append(a.Circles, c)
	}
	return a
}

// on says whether a position is on earth.
func on(p orb.Point) bool { return p[0] >= -180 && p[0] <= 180 && p[1] >= -90 && p[1] <= 90 }
