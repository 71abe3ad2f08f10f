// Package blobs keeps photos: files named by the SHA-256 of what is in them.
//
// A phone sends a file in pieces and goes on after a broken line where the last byte
// arrived. A file is there when its whole hash is right, its bytes and header are an
// image of a bearable size, and file and directory are on the disk: only then does an
// answer say complete, and from then on nothing here removes it. What is half there is
// its sender's alone and is forgotten after fourteen days.
//
// A photo has no rights of its own. Who may read a record that refers to it may read it,
// and so may who sent it; for everybody else it is absent. The record may come before
// its photo, or after.
//
// Originals are kept as they came, with what the camera wrote into them; a cut-off
// image too, for its hash says that this is what the phone has. Small pictures are made
// on demand, turned upright, without any of that, and kept beside the original.
//
// Names follow from content, writing is by rename, and pieces of one file are taken
// under a lock on the file: several processes may share the directory.
//
// The package writes the tables blob, blob_owner and blob_ref and the directory it is
// given. It must not import internal/api or a domain.
package blobs
