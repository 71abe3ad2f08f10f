// Package gdal reads foreign geodata formats through GDAL's command-line tools,
// run as child processes with limits, and turns a layer into newline-delimited
// GeoJSON; and it writes GeoJSON of ours as those formats, under the same limits.
//
// It owns the choice of format by content (never by name alone), the detection of
// text encodings in Shapefiles, and the unpacking of archives. It must not import
// any other package of the program, and it never lets GDAL see a name a user made
// up: only absolute paths of regular local files whose first bytes were checked.
//
// What keeps a hostile file from doing harm:
//   - the child has limits on memory, CPU time, file size, open files and wall
//     clock, an environment of its own without proxies and credentials, a private
//     working directory, and dies with us;
//   - drivers that read from the network or from other files are switched off;
//   - archives are unpacked here, with limits on entries, bytes as they come out
//     (not as the header claims) and compression ratio; no links, no nested
//     archives, no names that leave the directory.
package gdal
