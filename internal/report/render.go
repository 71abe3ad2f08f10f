package report

import (
	"context"
	"io"
)

// PDF writes a sheet as a vector PDF.
func PDF(ctx context.Context, w io.Writer, s Sheet) (Drawn, error) { return Drawn{}, errNotYet }

// PNG writes a sheet up to A3 as a picture of dpi dots per inch, 36 to 300.
func PNG(ctx context.Context, w io.Writer, s Sheet, dpi int) (Drawn, error) {
	return Drawn{}, errNotYet
}
