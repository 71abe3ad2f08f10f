package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"onemap/internal/registry"
)

// Security are the rules of signing in: the setting "security", a JSON object in which
// every member may be absent. GB/T 22239-2019 8.1.4.1 (等保三级 身份鉴别) asks for
// complexity, expiry, an answer to failures, a time limit and a second factor; it fixes
// no numbers, so these are ours.
//
//	password.min_length 10        characters, 8 at least
//	password.classes 3            of capitals, small letters, digits, others
//	password.history 5            earlier passwords that are refused
//	password.max_age_days 90      0: never expires
//	second_factor_required false  for office roles
//	session.idle_hours 12         without a request
//	session.absolute_hours 168    at the latest
//	session.device_days 30        a field phone
//	failures.delay_after 5        failures without delay; then 1, 2, 4 .. seconds
//	failures.lock_after 12        from then on the full lock_minutes
//	failures.lock_minutes 15      the longest anybody waits; 60 at most
//	failures.address_after 30     failures of an address without delay
//	activation_hours 72           an activation link
type Security struct {
	Password struct {
		MinLength  int `json:"min_length"`
		Classes    int `json:"classes"`
		History    int `json:"history"`
		MaxAgeDays int `json:"max_age_days"`
	} `json:"password"`
	SecondFactorRequired bool `json:"second_factor_required"`
	Session              struct {
		IdleHours     int `json:"idle_hours"`
		AbsoluteHours int `json:"absolute_hours"`
		DeviceDays    int `json:"device_days"`
	} `json:"session"`
	Failures struct {
		DelayAfter   int `json:"delay_after"`
		LockAfter    int `json:"lock_after"`
		LockMinutes  int `json:"lock_minutes"`
		AddressAfter int `json:"address_after"`
	} `json:"failures"`
	ActivationHours int `json:"activation_hours"`
}

// SecurityKey is the setting's name.
const SecurityKey = "security"

func defaultSecurity() Security {
	var s Security
	s.Password.MinLength, s.Password.Classes, s.Password.History, s.Password.MaxAgeDays = 10, 3, 5, 90
	s.Session.IdleHours, s.Session.AbsoluteHours, s.Session.DeviceDays = 12, 168, 30
	s.Failures.DelayAfter, s.Failures.LockAfter, s.Failures.LockMinutes, s.Failures.AddressAfter = 5, 12, 15, 30
	s.ActivationHours = 72
	return s
}

// securityOf reads the setting. One that is no JSON object of this shape counts as
// absent; numbers are held inside what is safe, so that no typing error opens the house
// or shuts it.
func securityOf(snap *registry.Snapshot) Security {
	s := defaultSecurity()
	if snap == nil || !snap.Setting(SecurityKey, &s) {
		s = defaultSecurity()
	}
	for _, b := range s.bounds() {
		*b.v = min(max(*b.v, b.min), b.max)
	}
	return s
}

type bound struct {
	name     string
	v        *int
	min, max int
}

// bounds are the numbers of the setting and what is safe for each.
func (s *Security) bounds() []bound {
	return []bound{
		{"password.min_length", &s.Password.MinLength, 8, 64}, {"password.classes", &s.Password.Classes, 1, 4},
		{"password.history", &s.Password.History, 0, 24}, {"password.max_age_days", &s.Password.MaxAgeDays, 0, 3650},
		{"session.idle_hours", &s.Session.IdleHours, 1, 168}, {"session.absolute_hours", &s.Session.AbsoluteHours, 1, 720},
		{"session.device_days", &s.Session.DeviceDays, 1, 90},
		{"failures.delay_after", &s.Failures.DelayAfter, 1, 20}, {"failures.lock_after", &s.Failures.LockAfter, 2, 100},
		{"failures.lock_minutes", &s.Failures.LockMinutes, 1, 60}, {"failures.address_after", &s.Failures.AddressAfter, 5, 10000},
		{"activation_hours", &s.ActivationHours, 1, 24 * 14},
	}
}

// CheckSecurity says what is wrong with a setting somebody typed: an [Invalid] with
// every member that is unknown or out of its bounds. What is absent keeps its default.
func CheckSecurity(raw []byte) error {
	s := defaultSecurity()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || dec.More() {
		return invalid("value", "not_of_its_kind", "应为安全设置的 JSON 对象，且只含已知的成员", "it is the JSON object of the security setting, with known members only")
	}
	var faults Invalid
	for _, b := range s.bounds() {
		if *b.v < b.min || *b.v > b.max {
			faults.add("value."+b.name, "out_of_range", fmt.Sprintf("应在 %d 到 %d 之间", b.min, b.max), fmt.Sprintf("it lies between %d and %d", b.min, b.max))
		}
	}
	return faults.err()
}

// DefaultSecurity is the setting as it holds where nobody set it.
func DefaultSecurity() Security { return defaultSecurity() }

// passwordExpires is when a password chosen at t must be changed; zero is never.
func (s Security) passwordExpires(t time.Time) time.Time {
	if t.IsZero() || s.Password.MaxAgeDays == 0 {
		return time.Time{}
	}
	return t.AddDate(0, 0, s.Password.MaxAgeDays)
}

func (s Security) idle() time.Duration     { return time.Duration(s.Session.IdleHours) * time.Hour }
func (s Security) absolute() time.Duration { return time.Duration(s.Session.AbsoluteHours) * time.Hour }
func (s Security) device() time.Duration {
	return time.Duration(s.Session.DeviceDays) * 24 * time.Hour
}

const (
	setupLinkLife = 30 * time.Minute
	enrolmentLife = 10 * time.Minute
	tokenLife     = 30 * 24 * time.Hour
	tokenMaxLife  = 400 * 24 * time.Hour
	// A failure is forgotten after this long without another.
	failureMemory = 30 * time.Minute
)
