package api

import (
	"maps"
	"slices"
)

// RecordTopics are the topics of streams that are no layers.
func (s *Server) RecordTopics() []string { return slices.Sorted(maps.Keys(s.recordTopics())) }
