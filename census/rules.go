package census

// The rules by which rows are judged, as stable codes. Geometry faults keep the
// codes of internal/geo.
const (
	RuleSyntax        = "syntax"              // a record that cannot be read
	RuleTotalRow      = "total_row"           // 合计 row among the data
	RuleTooLarge      = "too_large"           // a single record beyond the limit
	RuleDuplicateRow  = "duplicate_row"       // the same row again
	RuleDuplicateKey  = "duplicate_key"       // the same key with other content
	RuleNoKey         = "key_missing"         // a key field is empty
	RuleRequired      = "required"            // a mandatory field is empty
	RuleMissing       = "missing_value"       // an expected figure is not known
	RuleNumber        = "number_unreadable"   // text where a number belongs
	RuleRange         = "number_out_of_range" // a number the field cannot take
	RuleUnit          = "unit_converted"      // 万, 亩 and the like were converted
	RuleDate          = "date_unreadable"
	RuleDateLoose     = "date_converted" // a serial day or a calendar of another era
	RuleCode          = "code_unknown"
	RuleScientific    = "code_scientific" // 3.2E+11: digits lost in a spreadsheet
	RuleLostTail      = "code_lost_tail"  // 16th and later digits became zeros
	RuleAdminCode     = "admin_code"      // no administrative code at all
	RuleAdminUnknown  = "admin_unknown"   // no such unit
	RuleAdminMismatch = "admin_mismatch"  // lies elsewhere than it says
	RuleOutside       = "outside_area"
	RuleNullIsland    = "null_island" // 0, 0: a form's empty coordinates
	RuleSwapped       = "lonlat_swapped"
	RuleUnplaced      = "unplaced"      // by the manifest: only an address
	RuleNullGeometry  = "null_geometry" // the file has a shape for others
	RuleCoordinate    = "coordinate_unreadable"
	RuleDMS           = "degrees_converted" // degree-minute-second text
	RuleTransform     = "transform_failed"
	RuleRepaired      = "repaired"
	RuleRepairChanges = "repair_changes_shape" // repair would change the area too much
	RuleInvalid       = "invalid_geometry"
	RuleGeometryType  = "geometry_type" // a line where areas belong
	RuleFieldVerified = "field_verified"
	RuleConstraint    = "constraint"
	RuleRestricted    = "restricted" // an identity or telephone number was put away
	RuleExercise      = "exercise"
	RuleProposed      = "proposed" // what a person has to confirm is a proposal
	RuleEncoding      = "encoding_guessed"
	RuleBadText       = "encoding"  // bytes that are no text in the file's encoding
	RuleTitleRow      = "title_row" // text above the header
	RuleCRSUnknown    = "crs_unknown"
	RuleProjected     = "projected_numbers" // metres where degrees belong
	RuleNearDuplicate = "duplicate_place"   // same name within a metre
)
