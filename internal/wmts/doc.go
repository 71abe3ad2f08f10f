// Package wmts brings base maps of the office's own network (天地图 or another WMTS) to
// the browser through the server: their keys stay here, a map without internet can have
// imagery, and grids in degrees (c: EPSG:4490) are warped to the Mercator grid (w) the
// browser draws.
//
// It owns the setting "basemaps" (what sources there are), the requests it sends out and
// the tiles it keeps in memory. It asks only addresses that stand in the setting, follows
// no redirect and passes on nothing but images. It knows no HTTP server and no database.
package wmts
