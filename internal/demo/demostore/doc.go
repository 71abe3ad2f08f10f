// Package demostore keeps the demo county in the database: what the importer does
// not carry (zoning plans, responsibilities, duty, aliases, the settings that
// point the map at it), the single changes of the exercise, and what the importer's
// removal of the data set leaves behind.
//
// Everything hangs on one data set named "demo"; nothing of another data set is
// ever touched. It imports internal/db and internal/demo. It must not import the
// domain packages: the caller brings the features in with the importer.
package demostore
