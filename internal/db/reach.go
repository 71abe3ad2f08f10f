package db

import (
	"strconv"
	"strings"

	"onemap/internal/geo"
)

// The visibility of a layer: 公开, 内部, 敏感.
const (
	Public    = "public"
	Internal  = "internal"
	Sensitive = "sensitive"
)

// Protection orders visibilities by how much they protect; 0 is none of them. What
// lowers it takes two people.
func Protection(visibility string) int {
	switch visibility {
	case Public:
		return 1
	case Internal:
		return 2
	case Sensitive:
		return 3
	}
	return 0
}

// Areas is what a [Reach] is made of.
type Areas struct {
	Public, Internal, Sensitive geo.Scopes // by visibility of the layer: whose rows may be read
	// Demo limits every answer to rows of a demo data set: the picture a server
	// without accounts shows on its own machine.
	Demo bool
	// Class names what besides rows depends on the role: drafts, masks.
	Class string
	// Epoch rises whenever the visibility of a layer changes, so that nothing made
	// before is found again.
	Epoch uint64
}

// Reach is what an asker may see. It never changes once made; caches key by
// [Reach.Key], so two askers with the same reach share tiles and nobody else does.
// The zero Reach sees nothing.
type Reach struct {
	areas  Areas
	key    string
	public *Reach // what of it concerns public layers; nil where that is all of it
}

// NewReach sorts and joins the areas and fixes the key: a reach is made once per
// sign-in and asked for its key at every tile.
func NewReach(a Areas) Reach {
	r := newReach(a)
	if len(a.Internal)+len(a.Sensitive) > 0 || a.Class != Public {
		p := newReach(Areas{Public: a.Public, Demo: a.Demo, Class: Public, Epoch: a.Epoch})
		r.public = &p
	}
	return r
}

func newReach(a Areas) Reach {
	a.Public, a.Internal, a.Sensitive = a.Public.Normal(), a.Internal.Normal(), a.Sensitive.Normal()
	var b strings.Builder
	for _, set := range []geo.Scopes{a.Public, a.Internal, a.Sensitive} {
		for _, s := range set {
			b.WriteString(strconv.FormatInt(s.Lo, 36))
			b.WriteByte('-')
			b.WriteString(strconv.FormatInt(s.Hi, 36))
			b.WriteByte(' ')
		}
		b.WriteByte('|')
	}
	if a.Demo {
		b.WriteByte('d')
	}
	b.WriteByte('|')
	b.WriteString(strconv.FormatUint(a.Epoch, 36))
	b.WriteByte('|')
	b.WriteString(a.Class)
	return Reach{areas: a, key: b.String()}
}

// Everything is the reach of the program itself.
func Everything() Reach {
	all := geo.Scopes{geo.Everywhere()}
	return NewReach(Areas{Public: all, Internal: all, Sensitive: all, Class: "system"})
}

// Key is equal exactly for reaches that see the same.
func (r Reach) Key() string { return r.key }

// OnlyPublic is the reach as far as public layers go: whoever sees the same of them
// shares what was made for it, whatever else he may see.
func (r Reach) OnlyPublic() Reach {
	if r.public == nil {
		return r
	}
	return *r.public
}

// Class is the role class.
func (r Reach) Class() string { return r.areas.Class }

// Demo says whether only rows of a demo data set are seen.
func (r Reach) Demo() bool { return r.areas.Demo }

// Of is the areas whose rows of a layer with this visibility may be read. An
// unknown visibility is read by nobody.
func (r Reach) Of(visibility string) geo.Scopes {
	switch visibility {
	case Public:
		return r.areas.Public
	case Internal:
		return r.areas.Internal
	case Sensitive:
		return r.areas.Sensitive
	}
	return nil
}

// Sees says whether any row of a layer with this visibility may be read at all; a
// layer that is not seen is, to this asker, absent.
func (r Reach) Sees(visibility string) bool { return len(r.Of(visibility)) > 0 }
