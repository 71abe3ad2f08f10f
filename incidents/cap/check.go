package cap

import (
	"fmt"
	"strings"

	"github.com/paulmach/orb"
)

// The findings others branch on.
const (
	CodeOffEarth      = "off_earth"           // a position beyond ±90 or ±180, as of swapped numbers
	CodeOpenRing      = "unclosed_ring"       // [Message.Closed] is the repair
	CodeExpiredBefore = "expired_before_sent" // it was over before it was said
	CodeNotNational   = "not_national_identifier"
	CodeNotXML        = "not_xml" // nothing of it can be read
)

// Check holds a message to the rules that stand in the text of the standard and in no
// schema, and to ours.
func Check(m *Message) []Finding {
	var f findings
	name(&f, "identifier", m.Identifier)
	name(&f, "sender", m.Sender)
	if _, err := ParseIdentifier(m.Identifier); err != nil && m.Identifier != "" {
		f.note(CodeNotNational, "alert/identifier", "标识不是 31 位国家预警标识(GB/T 35965.1)", "the identifier is not the national one of 31 characters (GB/T 35965.1)")
	} else if id, _ := ParseIdentifier(m.Identifier); err == nil && !m.Sent.IsZero() && (id.At.Sub(m.Sent) > maxSkew || m.Sent.Sub(id.At) > maxSkew) {
		f.note("identifier_time", "alert/identifier", "标识中的时间与发布时间相差一天以上", "the time in the identifier and the time of sending are a day apart")
	}
	switch m.MsgType {
	case Update, Cancel, Ack, Failed:
		if len(m.References) == 0 {
			f.fatal("no_reference", "alert/references", "更新、解除须引用原预警", "an update or a cancellation names the message it is about")
		}
	}
	if m.MsgType == Alert && len(m.References) > 0 {
		f.note("reference_of_alert", "alert/references", "首发报文不应有引用", "an alert refers to nothing")
	}
	if (m.MsgType == Alert || m.MsgType == Update) && len(m.Infos) == 0 {
		f.fatal("no_info", "alert/info", "预警没有内容(info)", "the message says nothing: it has no info")
	}
	switch {
	case m.Scope == "Restricted" && strings.TrimSpace(m.Restriction) == "":
		f.note("no_restriction", "alert/restriction", "受限报文未写明限制", "a restricted message does not say the restriction")
	case m.Scope == "Private" && strings.TrimSpace(m.Addresses) == "":
		f.note("no_addresses", "alert/addresses", "定向报文未写明收件人", "a private message does not say for whom")
	}
	for i := range m.Infos {
		info(&f, m, i)
	}
	return f
}

const maxSkew = 24 * 3600 * 1e9

// name holds to what can be referred to: no space, no comma, nothing of XML.
func name(f *findings, what, v string) {
	switch {
	case v == "":
		f.fatal("missing", "alert/"+what, "缺少 "+what, what+" is missing")
	case len(v) > 500 || strings.ContainsAny(v, " ,<&\t\r\n\x00"):
		f.fatal("bad_name", "alert/"+what, what+" 不得含空格、逗号、< 或 &，且不超过 500 字节", what+" has a space, comma, < or &, or is longer than 500 bytes")
	}
}

func info(f *findings, m *Message, i int) {
	in, path := &m.Infos[i], fmt.Sprintf("alert/info[%d]", i)
	if in.Event == "" && m.MsgType != Cancel {
		f.fatal("missing", path+"/event", "缺少预警种类(event)", "event is missing")
	}
	if !in.Expires.IsZero() && in.Expires.Before(m.Sent) {
		f.fatal(CodeExpiredBefore, path+"/expires", "失效时间早于发布时间，请核对发布单位的时钟与时区", "it expires before it was sent: check the sender's clock and zone")
	}
	if !in.Expires.IsZero() && !in.Effective.IsZero() && in.Expires.Before(in.Effective) {
		f.fatal("expires_before_effective", path+"/expires", "失效时间早于生效时间", "it expires before it takes effect")
	}
	for j, a := range in.Areas {
		at := fmt.Sprintf("%s/area[%d]", path, j)
		for k, r := range a.Polygons {
			polygon(f, fmt.Sprintf("%s/polygon[%d]", at, k), r)
		}
		for k, c := range a.Circles {
			here := fmt.Sprintf("%s/circle[%d]", at, k)
			switch {
			case !on(c.Center):
				f.fatal(CodeOffEarth, here, "圆心不在经纬度范围内", "the centre is not on earth")
			case c.RadiusKM > 5000:
				f.fatal("bad_circle", here, "圆半径超过 5000 公里", "the radius is above 5000 km")
			case c.RadiusKM == 0:
				f.note("circle_without_extent", here, "圆半径为 0，只是一个点", "the radius is 0: a point only")
			}
		}
	}
}

func polygon(f *findings, path string, r orb.Ring) {
	for _, p := range r {
		if !on(p) {
			f.fatal(CodeOffEarth, path, "顶点不在经纬度范围内(应为 纬度,经度)", "a corner is not on earth (the order is lat,lon)")
			return
		}
	}
	switch {
	case len(r) < 3 || len(r) == 3 && r[0] == r[2]:
		f.fatal("bad_polygon", path, "多边形至少要有三个不同的顶点", "a polygon has three corners at least")
	case r[0] != r[len(r)-1]:
		f.fatal(CodeOpenRing, path, "多边形没有闭合：末点应与首点相同", "the polygon is not closed: the last position is the first")
	case len(r) < 4:
		f.fatal("bad_polygon", path, "多边形至少要有四个位置(首末相同)", "a polygon has four positions, the last being the first")
	}
}
