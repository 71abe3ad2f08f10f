package geo

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/paulmach/orb"
	"github.com/twpayne/go-geom"
	"github.com/twpayne/go-geom/encoding/ewkb"
)

// The codec is our own: the module usually used for this (pgx-geom) can no
// longer be downloaded, and what is needed is small. The names ScanGeom and
// GeomValue are the ones that module uses, so that types written for it keep
// working.

// GeomScanner is a scan target for geometry columns; nil means NULL.
type GeomScanner interface{ ScanGeom(geom.T) error }

// GeomValuer is a geometry parameter; nil means NULL.
type GeomValuer interface{ GeomValue() (geom.T, error) }

var (
	_ GeomScanner = (*Shape)(nil)
	_ GeomValuer  = Shape{}
)

// Register teaches a connection the types geometry and geometry[]. It belongs
// into the pool's AfterConnect. On a database without PostGIS it fails: a
// connection that cannot read geometry must not serve requests.
func Register(ctx context.Context, conn *pgx.Conn) error {
	var one, array *uint32
	err := conn.QueryRow(ctx, `select t.oid, t.typarray
		from pg_type t where t.oid = to_regtype('geometry')`).Scan(&one, &array)
	if errors.Is(err, pgx.ErrNoRows) {
		return errors.New("geo: the database has no type geometry (extension postgis missing)")
	}
	if err != nil {
		return fmt.Errorf("geo: look up geometry type: %w", err)
	}
	m := conn.TypeMap()
	t := &pgtype.Type{Name: "geometry", OID: *one, Codec: codec{}}
	m.RegisterType(t)
	m.RegisterDefaultPgType(Shape{}, "geometry")
	if array != nil && *array != 0 {
		m.RegisterType(&pgtype.Type{Name: "_geometry", OID: *array, Codec: &pgtype.ArrayCodec{ElementType: t}})
		m.RegisterDefaultPgType([]Shape{}, "_geometry")
	}
	return nil
}

type codec struct{}

func (codec) FormatSupported(format int16) bool {
	return format == pgtype.BinaryFormatCode || format == pgtype.TextFormatCode
}

func (codec) PreferredFormat() int16 { return pgtype.BinaryFormatCode }

func (codec) PlanEncode(_ *pgtype.Map, _ uint32, format int16, value any) pgtype.EncodePlan {
	switch value.(type) {
	case GeomValuer, geom.T, orb.Geometry:
		return encodePlan{hex: format == pgtype.TextFormatCode}
	}
	return nil
}

func (codec) PlanScan(_ *pgtype.Map, _ uint32, format int16, target any) pgtype.ScanPlan {
	switch target.(type) {
	case GeomScanner, *geom.T, *orb.Geometry:
		return scanPlan{hex: format == pgtype.TextFormatCode}
	}
	return nil
}

func (codec) DecodeDatabaseSQLValue(*pgtype.Map, uint32, int16, []byte) (driver.Value, error) {
	return nil, errors.New("geo: database/sql is not supported")
}

func (codec) DecodeValue(_ *pgtype.Map, _ uint32, format int16, src []byte) (any, error) {
	if src == nil {
		return nil, nil
	}
	var s Shape
	if err := (scanPlan{hex: format == pgtype.TextFormatCode}).Scan(src, &s); err != nil {
		return nil, err
	}
	return s, nil
}

type encodePlan struct{ hex bool }

func (p encodePlan) Encode(value any, buf []byte) ([]byte, error) {
	var t geom.T
	var err error
	switch v := value.(type) {
	case GeomValuer: // before orb.Geometry: Shape is both
		if t, err = v.GeomValue(); err != nil {
			return nil, err
		}
		if t == nil {
			return nil, nil
		}
	case geom.T:
		t = v
	case orb.Geometry:
		if t, err = ToGeom(v); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("geo: cannot encode %T", value)
	}
	data, err := ewkb.Marshal(t, ewkb.NDR)
	if err != nil {
		return nil, fmt.Errorf("geo: encode: %w", err)
	}
	if p.hex {
		return hex.AppendEncode(buf, data), nil
	}
	return append(buf, data...), nil
}

type scanPlan struct{ hex bool }

func (p scanPlan) Scan(src []byte, target any) error {
	var t geom.T
	if src != nil {
		if p.hex {
			raw := make([]byte, hex.DecodedLen(len(src)))
			if _, err := hex.Decode(raw, src); err != nil {
				return fmt.Errorf("geo: decode: %w", err)
			}
			src = raw
		}
		var err error
		if t, err = ewkb.Unmarshal(src); err != nil {
			return fmt.Errorf("geo: decode: %w", err)
		}
	}
	switch d := target.(type) {
	case GeomScanner:
		return d.ScanGeom(t)
	case *geom.T:
		*d = t
		return nil
	case *orb.Geometry:
		if t == nil {
			*d = nil
			return nil
		}
		o, err := FromGeom(t)
		if err != nil {
			return err
		}
		*d = o
		return nil
	}
	return fmt.Errorf("geo: cannot scan into %T", target)
}
