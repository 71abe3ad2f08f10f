package cap_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents/cap"
)

// sample is a message as a county's weather office sends it.
const sample = `<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>99010041600000_20260705143000_0</identifier>
  <sender>qxt.example.gov.cn</sender>
  <sent>2026-07-05T14:30:00+08:00</sent>
  <status>Actual</status>
  <msgType>Update</msgType>
  <scope>Public</scope>
  <references>qxt.example.gov.cn,99010041600000_20260705113000_0,2026-07-05T11:30:00+08:00</references>
  <info>
    <language>zh-CN</language>
    <category>Met</category>
    <event>暴雨</event>
    <responseType>Evacuate</responseType>
    <urgency>Immediate</urgency>
    <severity>Extreme</severity>
    <certainty>Observed</certainty>
    <eventCode><valueName>GB/T 35561</valueName><value>11B03</value></eventCode>
    <effective>2026-07-05T14:30:00+08:00</effective>
    <expires>2026-07-05T20:30:00+08:00</expires>
    <headline>示例县气象台发布暴雨红色预警信号</headline>
    <description>3 小时降雨量已达 100 毫米 &amp; 仍将持续</description>
    <area>
      <areaDesc>示例县西北部</areaDesc>
      <polygon>34.1,119.1 34.1,119.3 34.3,119.3 34.1,119.1</polygon>
      <circle>34.2,119.2 5.5</circle>
      <geocode><valueName>GB/T 2260</valueName><value>990100</value></geocode>
    </area>
  </info>
</alert>
`

func decode(t *testing.T, text string) (*cap.Message, []cap.Finding) {
	t.Helper()
	m, notes, err := cap.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m, append(notes, cap.Check(m)...)
}

func has(list []cap.Finding, code string) bool {
	for _, f := range list {
		if f.Code == code {
			return true
		}
	}
	return false
}

func TestAMessageIsReadAndWritten(t *testing.T) {
	m, found := decode(t, sample)
	if len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	i := m.Main()
	if m.MsgType != cap.Update || i.Event != "暴雨" || i.EventCodes[0].Value != "11B03" || i.Severity != "Extreme" || len(m.References) != 1 || m.References[0].Identifier != "99010041600000_20260705113000_0" {
		t.Errorf("%+v", m)
	}
	a := i.Areas[0]
	if a.Polygons[0][1] != (orb.Point{119.3, 34.1}) || a.Circles[0].Center != (orb.Point{119.2, 34.2}) || a.Circles[0].RadiusKM != 5.5 {
		t.Errorf("lat,lon became %v", a)
	}
	again, notes, err := cap.Decode(cap.Encode(m))
	if err != nil || len(notes) > 0 || !reflect.DeepEqual(again, m) {
		t.Errorf("written and read again: %+v %v %v", again, notes, err)
	}
	if r := a.Circles[0].Ring(); math.Abs(distanceKM(r[0], a.Circles[0].Center)-5.5) > 0.01 || r[0] != r[64] || math.Abs(distanceKM(r[16], a.Circles[0].Center)-5.5) > 0.01 {
		t.Errorf("the circle is %v", r)
	}
}

func distanceKM(a, b orb.Point) float64 {
	const rad = math.Pi / 180
	h := math.Pow(math.Sin((b[1]-a[1])*rad/2), 2) + math.Cos(a[1]*rad)*math.Cos(b[1]*rad)*math.Pow(math.Sin((b[0]-a[0])*rad/2), 2)
	return 2 * 6371.0088 * math.Asin(math.Sqrt(h))
}

// TestOurRulesAreTheSchemas changes the message in many ways and asks xmllint what it
// thinks of each.
func TestOurRulesAreTheSchemas(t *testing.T) {
	lint, schema := xmllint(t)
	swap := func(old, new string) string {
		if !strings.Contains(sample, old) {
			t.Fatalf("the sample has no %q", old)
		}
		return strings.Replace(sample, old, new, 1)
	}
	line := func(name string) string {
		from := strings.Index(sample, "<"+name+">")
		return sample[from : from+strings.Index(sample[from:], "\n")]
	}
	cases := map[string]string{
		"as it is": sample, "1.1": swap("cap:1.2", "cap:1.1"), "no status": swap(line("status"), ""), "no scope": swap(line("scope"), ""), "no urgency": swap(line("urgency"), ""),
		"no category": swap(line("category"), ""), "no areaDesc": swap(line("areaDesc"), ""), "no event": swap(line("event"), ""), "no identifier": swap(line("identifier"), ""),
		"order": swap(line("sender")+"\n  "+line("sent"), line("sent")+line("sender")), "twice": swap(line("scope"), line("scope")+line("scope")),
		"unknown status": swap("Actual", "Real"), "spaces": swap("Actual", " Actual "), "case": swap("Extreme", "extreme"), "zulu": swap("14:30:00+08:00</sent>", "14:30:00Z</sent>"),
		"no zone": swap("14:30:00+08:00</sent>", "14:30:00</sent>"), "fraction": swap("14:30:00+08:00</sent>", "14:30:00.5+08:00</sent>"), "zone of 15 h": swap("14:30:00+08:00</sent>", "14:30:00+15:00</sent>"),
		"the 31st of June": swap("2026-07-05T14:30:00+08:00</sent>", "2026-06-31T14:30:00+08:00</sent>"), "spaces around a time": swap("<sent>2026", "<sent> 2026"),
		"stray element": swap("<scope>", "<colour>red</colour><scope>"), "attribute": swap("<scope>", `<scope x="1">`), "stray text": swap("<info>", "<info>x"), "child in text": swap("Public", "<b>Public</b>"),
		"two categories": swap(line("category"), line("category")+"<category>Geo</category>"), "language": swap("zh-CN", "中文"), "no language": swap(line("language"), ""), "altitude": swap("</area>", "<altitude>12.5</altitude><ceiling>x</ceiling></area>"),
		"good altitude": swap("</area>", "<altitude>-12.5</altitude></area>"), "resource": swap("<area>", "<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType><size>1.5</size></resource><area>"),
		"good resource": swap("<area>", "<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType><size>15</size></resource><area>"), "pair": swap("<value>11B03</value>", ""),
		"signature": swap("</alert>", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature></alert>`), "foreign end": swap("</alert>", `<x xmlns="urn:x"/></alert>`),
		"comment": swap("<scope>", "<!-- x --><scope>"), "cdata": swap("Public", "<![CDATA[Public]]>"), "empty": `<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>`, "another root": `<rss/>`,
		"not closed": swap("</alert>", ""), "open ring": swap(" 34.1,119.1</polygon>", "</polygon>"), "no info": sample[:strings.Index(sample, "  <info>")] + "</alert>",
	}
	for name, text := range cases {
		out, err := exec.CommandContext(t.Context(), lint, "--nonet", "--noout", "--schema", schema, writeFile(t, text)).CombinedOutput()
		valid := err == nil
		_, notes, err := cap.Decode([]byte(text))
		if r, ok := errors.AsType[*cap.Refused](err); ok {
			notes = r.Findings
		}
		if ours := !cap.Breaks(notes); ours != valid {
			t.Errorf("%s: we say %v (%+v), xmllint says %v: %s", name, ours, notes, valid, out)
		}
	}
}

func xmllint(t *testing.T) (program, schema string) {
	t.Helper()
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed (libxml2-utils, scripts/deps.sh test)")
	}
	schema, err = filepath.Abs("../../../shared/data/feeds/cap12.xsd")
	if err == nil {
		_, err = os.Stat(schema)
	}
	if err != nil {
		t.Skip("the schema of CAP 1.2 is not beside the repository: ", err)
	}
	return lint, schema
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.xml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTheRealFiles are of 2010 and CAP 1.1; what we write of them is CAP 1.2.
func TestTheRealFiles(t *testing.T) {
	lint, schema := xmllint(t)
	for _, name := range []string{"earthquake.cap", "weather.cap"} {
		body, err := os.ReadFile(filepath.Join(filepath.Dir(schema), name))
		if err != nil {
			t.Fatal(err)
		}
		m, notes, err := cap.Decode(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(notes) != 1 || notes[0].Code != "older_version" || cap.Fatal(cap.Check(m)) || !has(cap.Check(m), cap.CodeNotNational) {
			t.Errorf("%s: %+v %+v", name, notes, cap.Check(m))
		}
		out := cap.Encode(m)
		if text, err := exec.CommandContext(t.Context(), lint, "--nonet", "--noout", "--schema", schema, writeFile(t, string(out))).CombinedOutput(); err != nil {
			t.Errorf("%s as 1.2: %s", name, text)
		}
		again, notes, err := cap.Decode(out)
		if err != nil || len(notes) > 0 || !reflect.DeepEqual(again, m) {
			t.Errorf("%s read again: %+v %v", name, notes, err)
		}
	}
}

func TestWhatIsDangerousIsRefused(t *testing.T) {
	cases := map[string]string{
		"doctype":     `<?xml version="1.0"?><!DOCTYPE alert SYSTEM "http://127.0.0.1:1/x.dtd">` + sample[39:],
		"entity":      strings.Replace(sample, "暴雨", "&lol;", 1),
		"too_large":   sample + strings.Repeat(" ", 10<<20),
		"not_xml":     sample + sample,
		"too_complex": `<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">` + strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40) + `</alert>`,
		"not_cap":     "<html></html>",
	}
	cases["doctype2"] = `<!DOCTYPE a [<!ENTITY a "` + strings.Repeat("x", 1000) + `"><!ENTITY b "&a;&a;&a;">]><alert>&b;</alert>`
	for code, text := range cases {
		_, _, err := cap.Decode([]byte(text))
		r, ok := errors.AsType[*cap.Refused](err)
		if !ok || r.Findings[0].Code != strings.TrimSuffix(code, "2") {
			t.Errorf("%s: %v", code, err)
		}
	}
	// A message in very many pieces is no more work than its size.
	pieces := strings.Replace(sample, "示例县西北部", strings.Repeat("a<!---->", 100_000), 1)
	if m, _, err := cap.Decode([]byte(pieces)); err != nil || len(m.Main().Areas[0].Desc) != 100_000 {
		t.Errorf("in pieces: %v", err)
	}
	many := strings.Replace(sample, "34.1,119.1 34.1,119.3", strings.Repeat("34.1,119.1 ", 10_001), 1)
	if _, _, err := cap.Decode([]byte(many)); err == nil || !strings.Contains(err.Error(), "too_many_positions") {
		t.Errorf("ten thousand corners: %v", err)
	}
}

func TestWhatTheStandardSaysInWords(t *testing.T) {
	swap := func(old, new string) string { return strings.Replace(sample, old, new, 1) }
	for code, text := range map[string]string{
		cap.CodeExpiredBefore: swap("2026-07-05T20:30:00+08:00</expires>", "2026-07-05T14:29:59+08:00</expires>"),
		cap.CodeOpenRing:      swap(" 34.1,119.1</polygon>", " 34.2,119.1</polygon>"), cap.CodeOffEarth: swap("34.1,119.1 34.1,119.3", "119.1,34.1 119.3,34.1"),
		"no_reference": swap("<references>qxt.example.gov.cn,99010041600000_20260705113000_0,2026-07-05T11:30:00+08:00</references>", ""), "bad_name": swap("qxt.example.gov.cn</sender>", "qxt example</sender>"),
		"no_info": sample[:strings.Index(sample, "  <info>")] + "</alert>", "bad_polygon": swap("34.1,119.1 34.1,119.3 34.3,119.3 34.1,119.1", "34.1,119.1 34.1,119.3 34.1,119.1"),
	} {
		m, _, err := cap.Decode([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		if found := cap.Check(m); !has(found, code) || !cap.Fatal(found) {
			t.Errorf("%s: %+v", code, found)
		}
	}
	m, _ := decode(t, swap(" 34.1,119.1</polygon>", "</polygon>"))
	if found := cap.Check(m.Closed()); cap.Fatal(found) {
		t.Errorf("closed: %+v", found)
	}
	m, _ = decode(t, strings.Replace(swap("34.1,119.1 34.1,119.3 34.3,119.3 34.1,119.1", "119.1,34.1 119.3,34.1 119.3,34.3 119.1,34.1"), "34.2,119.2 5.5", "119.2,34.2 5.5", 1))
	if s := m.Swapped(); cap.Fatal(cap.Check(s)) || s.Infos[0].Areas[0].Polygons[0][0] != (orb.Point{119.1, 34.1}) || m.Infos[0].Areas[0].Polygons[0][0] != (orb.Point{34.1, 119.1}) {
		t.Errorf("swapped: %+v, from %+v", s.Infos[0].Areas, m.Infos[0].Areas)
	}
}

func TestGBK(t *testing.T) {
	text := strings.Replace(strings.Replace(sample, "UTF-8", "GBK", 1), "暴雨", "\xb1\xa9\xd3\xea", 1)
	text = text[:strings.Index(text, "<headline>")] + text[strings.Index(text, "<area>"):]
	text = strings.Replace(text, "示例县西北部", "x", 1)
	m, _, err := cap.Decode([]byte(text))
	if err != nil || m.Main().Event != "暴雨" {
		t.Errorf("%v %v", m, err)
	}
}

func TestIdentifier(t *testing.T) {
	const good = "32132241500000_20250705143000_0"
	id, err := cap.ParseIdentifier(good)
	if err != nil || id.Admin != "321322" || id.Sector != "415" || id.Unit != "000" || id.Ext != "00" || !id.At.Equal(time.Date(2025, 7, 5, 6, 30, 0, 0, time.UTC)) || id.String() != good {
		t.Errorf("%+v %v", id, err)
	}
	for _, bad := range []string{"", good[:30], good + "0", "3213224150000a_20250705143000_0", "32132241500000-20250705143000_0", "32132241500000_20250231143000_0", "32132241500000_20250705243000_0",
		"17132241500000_20250705143000_0", "32132241500000_20250705143000_x", "３2132241500000_20250705143000"} {
		if _, err := cap.ParseIdentifier(bad); !errors.Is(err, cap.ErrIdentifier) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	made, err := cap.MakeIdentifier("990100", "41600103", time.Date(2026, 7, 5, 6, 30, 0, 0, time.UTC), 3)
	if err != nil || made != "99010041600103_20260705143000_3" {
		t.Errorf("%s %v", made, err)
	}
	if _, err := cap.MakeIdentifier("990100", "416", time.Now(), 0); err == nil {
		t.Error("an issuer of three digits")
	}
	if _, err := cap.MakeIdentifier("990100", "41600000", time.Now(), 10); err == nil {
		t.Error("the eleventh of a second")
	}
}

// FuzzDecode: nothing panics, and what is taken is written and read again as the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(strings.Replace(sample, "cap:1.2", "cap:1.1", 1)))
	f.Add([]byte(strings.Replace(sample, "Public", "<![CDATA[Public]]>", 1)))
	f.Add([]byte("<!DOCTYPE alert>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, err := cap.Decode(data)
		if err != nil {
			return
		}
		cap.Check(m)
		m.Swapped()
		m.Closed()
		m.Shapes()
		out := cap.Encode(m)
		again, notes, err := cap.Decode(out)
		if err != nil {
			t.Fatalf("what we wrote is refused: %v\n%s", err, out)
		}
		for _, n := range notes {
			if n.Schema && n.Code != "missing" {
				t.Errorf("what we wrote breaks the schema: %+v", n)
			}
		}
		if !bytes.Equal(cap.Encode(again), out) {
			t.Error("written twice it is not the same")
		}
	})
}

// FuzzParseIdentifier: what is read is written as it was.
func FuzzParseIdentifier(f *testing.F) {
	f.Add("32132241500000_20250705143000_0")
	f.Add("99010041600000_20260229143000_9")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := cap.ParseIdentifier(s)
		if err == nil && id.String() != s {
			t.Errorf("%q became %q", s, id.String())
		}
	})
}
