// Package calc is the arithmetic of indices and levels: normalising, weighing (entropy,
// AHP), combining, classifying, the capability model of the census, and the overlay of
// hazards. Pure functions of numbers: no database, no clock, no state.
//
// What must stay true:
//   - a missing value is NaN here and stays missing: it is never taken as zero, it is left
//     out of every statistic, and what depends on it is missing too;
//   - the order of the rows never changes a result, to the last bit: sums are taken over
//     sorted numbers with a compensation (Neumaier), and products are rounded before they
//     are added, so that no machine fuses the two;
//   - equal values are never put into different classes;
//   - one function, [LevelOf], turns a class into a level, and 1 is the first of a ladder.
//
// Where the formulas come from is said at each of them. Bad input is an [*Error] with a
// code and words for people.
package calc
