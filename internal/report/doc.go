// Package report makes paper and files: map sheets as PDF and PNG, tables as XLSX and
// CSV, features in the formats of other systems, and delivery packages of all of them.
//
// Values in, bytes out. It owns what a sheet looks like and what a file contains; it
// must not know a database, HTTP or a domain package. What a sheet says (counts, areas,
// people, names, dates) comes from the caller and is printed as it came, so that paper
// and screen agree. Equal input gives equal bytes: time comes from the input alone.
//
// A sheet is drawn once, as a display list (package draw); a PDF and a PNG are two ways
// of writing that one list. Text is set in the embedded font (package font). The map is
// in 3-degree Gauss-Krüger on CGCS2000 (package gk), so its scale and grid are true.
//
// Invariants the tests hold: shared borders stay shared on paper; no label leaves its
// shape or touches another; prescribed print colours reach the PDF as the CMYK numbers
// they are; a character the font lacks is drawn as a box and reported, never dropped;
// a character an encoding lacks is replaced by 〓 and reported; no cell is a formula.
package report
