// Package static holds the built web map: the files of dist, embedded, with the
// content type, cache policy, entity tags and compressed forms each is served with.
//
// It owns dist (built from web by `npm run build`, committed, reproducible) and
// nothing else. It imports nothing of ours, opens no port and knows no router:
// internal/api mounts what Load answers.
//
// Invariants: a file under assets/ carries a content hash in its name and never
// changes, so it may be cached for ever; everything else is revalidated. Entity tags
// are strong and differ per encoding, as RFC 9110 §8.8.3 wants.
package static
