package sync

import "errors"

// ErrAbsent means there is no such record, or none the asker may see.
var ErrAbsent = errors.New("sync: no such record")
