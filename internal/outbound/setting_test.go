package outbound_test

import (
	"testing"

	"onemap/internal/outbound"
)

func TestSetting(t *testing.T) {
	for _, bad := range []string{
		`null`, `[]`, `{"webhooks":[{"id":"A","title":"x","url":"http://a"}]}`, `{"webhooks":[{"id":"a","title":"x","url":"file:///etc/passwd"}]}`, `{"webhooks":[{"id":"a","title":"x","url":"http://u:p@a"}]}`,
		`{"drops":[{"id":"../a","title":"x"}]}`, `{"drops":[{"id":"a","title":"x"},{"id":"a","title":"y"}]}`, `{"drops":[{"id":"a","title":""}]}`, `{"other":1}`, `{} {}`,
	} {
		if _, err := outbound.Parse([]byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if s, err := outbound.Parse([]byte(`{"webhooks":[{"id":"a","title":"x","url":"https://a.example/in"}],"drops":[{"id":"b","title":"y"}]}`)); err != nil || len(s.Webhooks) != 1 || len(s.Drops) != 1 {
		t.Errorf("%+v %v", s, err)
	}
}
