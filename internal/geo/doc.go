// Package geo is where geometry crosses the border of the program.
//
// Inside, a geometry is an [orb.Geometry]: two ordinates, longitude and
// latitude in degrees, EPSG:4490 (the numbers of CRS84). On the wire to
// PostgreSQL it is a go-geom value, which carries a SRID and knows Z and M.
// Only this package knows that other coordinate systems exist; whoever calls it
// with an orb value promises lon/lat.
//
// It owns
//   - [Shape] and [Register]: geometry columns scanned into orb, orb passed as
//     parameter, through CopyFrom and in arrays;
//   - [ParseGeoJSON]: the only way geometry text from outside comes in;
//   - [Check] and [CountCrossings]: what is wrong with a shape, and where, before
//     PostGIS (the authority) sees it;
//   - GCJ-02 and BD-09, Gauss-Krüger zones, degree-minute-second text;
//   - [Scope]: administrative codes as ranges of integers;
//   - [Cover]: which tiles a shape touches.
//
// It must not import any other package of the program.
//
// Invariants: nothing here panics on input from outside; every loop over such
// input is bounded by a limit the caller sees; a [Fault] always has a stable code
// and, where there is one, the place.
package geo
