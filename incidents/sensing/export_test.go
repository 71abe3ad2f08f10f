package sensing

import "context"

// Ask asks the sources that are due, for tests.
func (s *Service) Ask(ctx context.Context) { s.ask(ctx) }
