package evacuation

import (
	"cmp"
	"slices"
	"time"
)

// The modes of an entry.
const (
	Add   = "add"   // so many people more
	Total = "total" // so many in all up to then
)

// Numbers are what an entry says of people. Nil says nothing. Moved counts everybody who
// was taken away, Returned those of them who went back by themselves.
type Numbers struct {
	ToMove, Moved, Refused, Returned, Missing *int
}

// Entry is what somebody reported of a village.
type Entry struct {
	ID, Callout, Village, Mode string
	Numbers

	Shelter, ShelterName string
	Persons              *int // at the shelter
	Road, Power, Network *bool
	At, ReceivedAt       time.Time
	Channel, Note        string
	Account, Actor, Name string
}

// Sheltered is how many people of a village are at one place.
type Sheltered struct {
	ID, Name string // ID is empty where the place is no shelter of the layer
	Persons  int
}

// Contact is when a village was last heard of, and what is cut.
type Contact struct {
	LastAt               *time.Time
	Lost                 bool
	Road, Power, Network bool
}

// Reached counts the chains of a village: who was to be called and who of them, or his
// deputy, has answered.
type Reached struct {
	Targets, Reached, Repeated, Refused, Waiting, Late int
}

// Silent is how many have not answered.
func (r Reached) Silent() int { return r.Targets - r.Reached }

// Village is a line of the board. ToMove = Moved + NotMoved + Refused + Returned +
// Missing where ToMove is known.
type Village struct {
	Callout, Code, Name string
	Place               int
	Level               *int
	Households          int
	Whole               bool // the area holds it whole
	Source              string
	ToMove, NotMoved    *int
	Moved               int // away now
	Refused, Returned   int
	Missing             int
	Over                bool // more were moved than the register has: the register is to be looked at
	Shelters            []Sheltered
	Contact             Contact
	Calls               Reached
	Complete            bool
	Percent             *int
	AddedAt, LeftAt     *time.Time // put on the list later; marked as no longer inside, and still on it
}

// fold makes the figures of a village from its entries, by their own times. base is who is
// to move as the registers had it, nil where they do not say.
func fold(v *Village, base *int, entries []Entry) {
	list := slices.Clone(entries)
	slices.SortFunc(list, func(a, b Entry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return cmp.Compare(a.ID, b.ID)
	})
	list = slices.CompactFunc(list, func(a, b Entry) bool { return a.ID == b.ID })
	var toMove *int
	if base != nil {
		n := *base
		toMove = &n
	}
	var moved, refused, returned, missing int
	at := map[string]*Sheltered{}
	var order []string
	for _, e := range list {
		if e.ToMove != nil {
			n := *e.ToMove
			if e.Mode != Total && toMove != nil {
				n += *toMove
			}
			toMove = &n
		}
		for to, n := range map[*int]*int{&moved: e.Moved, &refused: e.Refused, &returned: e.Returned, &missing: e.Missing} {
			take(to, n, e.Mode)
		}
		if e.Shelter != "" || e.ShelterName != "" {
			key := e.Shelter
			if key == "" {
				key = "name " + e.ShelterName
			}
			s := at[key]
			if s == nil {
				s = &Sheltered{ID: e.Shelter}
				at[key], order = s, append(order, key)
			}
			if e.ShelterName != "" {
				s.Name = e.ShelterName
			}
			n := e.Persons
			if n == nil {
				n = e.Moved
			}
			take(&s.Persons, n, e.Mode)
		}
		for to, b := range map[*bool]*bool{&v.Contact.Road: e.Road, &v.Contact.Power: e.Power, &v.Contact.Network: e.Network} {
			if b != nil {
				*to = *b
			}
		}
		v.Contact.heard(e.At)
	}
	v.Returned, v.Refused, v.Missing = max(0, returned), max(0, refused), max(0, missing)
	v.Moved = max(0, moved-v.Returned)
	v.Shelters = nil
	for _, key := range order {
		if s := *at[key]; s.Persons > 0 {
			v.Shelters = append(v.Shelters, s)
		}
	}
	slices.SortFunc(v.Shelters, func(a, b Sheltered) int {
		return cmp.Or(cmp.Compare(b.Persons, a.Persons), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	v.ToMove, v.NotMoved, v.Over = nil, nil, false
	if toMove == nil {
		return
	}
	all, known := max(0, *toMove), v.Moved+v.Refused+v.Returned+v.Missing
	if known > all {
		v.Over, all = true, known
	}
	left := all - known
	v.ToMove, v.NotMoved = &all, &left
}

func take(to, n *int, mode string) {
	switch {
	case n == nil:
	case mode == Total:
		*to = *n
	default:
		*to += *n
	}
}

func (c *Contact) heard(at time.Time) {
	if c.LastAt == nil || at.After(*c.LastAt) {
		c.LastAt = &at
	}
}

// close says whether a village is complete, how far it is, and whether it is lost: cut off,
// or not heard of for too long since the call-out began.
func (v *Village) close(started, now time.Time, lostAfter time.Duration, ended bool) {
	v.Complete = v.Calls.Targets > 0 && v.Calls.Silent() == 0 && v.ToMove != nil && *v.NotMoved == 0 && v.Refused == 0 && v.Returned == 0 && v.Missing == 0
	v.Percent = percent(v.ToMove, v.Moved, v.Complete)
	since := started
	if v.Contact.LastAt != nil && v.Contact.LastAt.After(since) {
		since = *v.Contact.LastAt
	}
	v.Contact.Lost = !ended && !v.Complete && (v.Contact.Network || now.Sub(since) > lostAfter)
}

// percent is rounded down, and not 100 before everything is done.
func percent(of *int, n int, complete bool) *int {
	if of == nil {
		return nil
	}
	p := 100
	if *of > 0 {
		p = n * 100 / *of
	}
	if !complete {
		p = min(p, 99)
	}
	return &p
}

// onScreen is what of a village a wall shows: where people went may name whose house it is.
func (v Village) onScreen() Village {
	v.Households, v.Shelters = 0, nil
	return v
}

// Totals are the sums of a board.
type Totals struct {
	Villages, Complete, Lost, Unknown int // Unknown: villages where nobody knows who is to move
	ToMove, Moved, NotMoved           int
	Refused, Returned, Missing        int
	Sheltered                         int
	Calls                             Reached
	Percent                           *int
	Done                              bool
}

// Sum adds the villages up.
func Sum(list []Village) Totals {
	var t Totals
	away := 0 // of those whose number is known
	for _, v := range list {
		t.Villages++
		t.Moved += v.Moved
		t.Refused += v.Refused
		t.Returned += v.Returned
		t.Missing += v.Missing
		if v.ToMove == nil {
			t.Unknown++
		} else {
			t.ToMove += *v.ToMove
			t.NotMoved += *v.NotMoved
			away += v.Moved
		}
		for _, s := range v.Shelters {
			t.Sheltered += s.Persons
		}
		if v.Complete {
			t.Complete++
		}
		if v.Contact.Lost {
			t.Lost++
		}
		c := &t.Calls
		c.Targets, c.Reached, c.Repeated, c.Refused = c.Targets+v.Calls.Targets, c.Reached+v.Calls.Reached, c.Repeated+v.Calls.Repeated, c.Refused+v.Calls.Refused
		c.Waiting, c.Late = c.Waiting+v.Calls.Waiting, c.Late+v.Calls.Late
	}
	t.Done = t.Villages > 0 && t.Complete == t.Villages
	if t.Unknown < t.Villages {
		t.Percent = percent(&t.ToMove, away, t.Done)
	}
	return t
}

// The outcomes of a call.
const (
	Answered = "answered"
	Repeated = "repeated" // repeated back what was said
	Refused  = "refused"
	NoAnswer = "no_answer"
)

// Outcomes are all of them.
func Outcomes() []string { return []string{Answered, Repeated, Refused, NoAnswer} }

// The other states of a target.
const (
	Waiting   = "waiting"
	Escalated = "escalated" // late, and the next in line was opened
	Closed    = "closed"    // the one it was opened for has answered
)

// stands is the state of a target by its calls: who answered has answered, whatever was
// tried before or after; else the last try counts. "" without a call.
func stands(calls []Call) (state string, answered *time.Time) {
	list := slices.Clone(calls)
	slices.SortFunc(list, func(a, b Call) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range list {
		switch {
		case c.Outcome == Repeated:
			state = Repeated
		case c.Outcome == Answered && state != Repeated:
			state = Answered
		case state != Repeated && state != Answered:
			state = c.Outcome
		}
		if (c.Outcome == Repeated || c.Outcome == Answered) && answered == nil {
			at := c.At
			answered = &at
		}
	}
	return state, answered
}

func reached(state string) bool { return state == Answered || state == Repeated }
