package calc

// The codes of an [Error].
const (
	TooFew       = "too_few"        // fewer than two complete rows
	TooLarge     = "too_large"      // more than the method is defined for
	Ragged       = "ragged"         // rows of different length
	NotFinite    = "not_finite"     // infinite numbers
	Negative     = "negative"       // where only 0 and more make sense
	AllMissing   = "all_missing"    // a column or a list without any value
	AllConstant  = "all_constant"   // nothing tells the rows apart
	BadK         = "bad_k"          // a number of classes that makes no sense
	FewDistinct  = "few_distinct"   // fewer distinct values than classes
	BadBreaks    = "bad_breaks"     // thresholds that do not rise, or not k-1 of them
	BadWeights   = "bad_weights"    // negative, or without any
	NotSquare    = "not_square"     //
	NotPositive  = "not_positive"   // of a comparison matrix
	NotRecip     = "not_reciprocal" // a[i][j]·a[j][i] is not 1
	Inconsistent = "inconsistent"   // CR is 0.1 or more
	Unknown      = "unknown"        // a method of that name does not exist
)

// Error is input the arithmetic cannot take. Path names the part of it.
type Error struct{ Path, Code, ZH, EN string }

func (e *Error) Error() string { return "calc: " + e.EN }
