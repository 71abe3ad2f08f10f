package zoning

import (
	"time"

	"onemap/internal/registry"
	"onemap/zoning/calc"
)

// The groups of indicators: R is made of them.
const (
	GroupHazard      = "H" // 致灾危险性
	GroupSensitivity = "S" // 孕灾环境敏感性
	GroupExposure    = "E" // 承灾体暴露度
	GroupVulnerable  = "V" // 脆弱性
	GroupCapability  = "C" // 减灾能力
)

// IndicatorMeasure is one thing that can be measured of a source.
type IndicatorMeasure struct {
	Measure   string // one of the measures of [Measures]
	Field     string // the field it is of, "" where it is of the features themselves
	Title     registry.Title
	Unit      registry.Title
	Group     string         // proposed
	Direction calc.Direction // proposed
	Normalise calc.Norm      // proposed
}

// IndicatorSource is a named indicator of the rule set, or a layer whose features and
// fields can be measured.
type IndicatorSource struct {
	Source   string // what a spec names: the id of the indicator, or the layer
	Layer    string
	Title    registry.Title
	Ready    bool // an indicator of the rule set: it has one measure, and a spec need not name it
	Geometry string
	Rule     RuleRef // of Ready ones
	Measures []IndicatorMeasure
}

// RuleRef names a version of a rule set.
type RuleRef struct {
	Rule     string `json:"rule"`
	Version  int    `json:"version"`
	Verified bool   `json:"verified"`
}

// IndicatorSpec is one indicator of a computation.
type IndicatorSpec struct {
	ID        string         `json:"id"`                // of the result's column; made of source and measure where empty
	Source    string         `json:"source"`            // of [IndicatorSource]
	Measure   string         `json:"measure,omitempty"` // "" for the indicators of the rule set
	Field     string         `json:"field,omitempty"`
	Group     string         `json:"group,omitempty"`
	Normalise calc.Norm      `json:"normalise,omitempty"` // "": minmax
	Direction calc.Direction `json:"direction,omitempty"` // "": as proposed
	Weight    *float64       `json:"weight,omitempty"`    // for given weights
}

// AHPSpec are the comparisons of the indicators, in their order.
type AHPSpec struct {
	Matrix [][]float64 `json:"matrix"`
}

// WeightsSpec says how the indicators are weighed.
type WeightsSpec struct {
	Method string   `json:"method"` // given | entropy | ahp | combined | product
	AHP    *AHPSpec `json:"ahp,omitempty"`
	Theta  *float64 `json:"theta,omitempty"` // share of AHP in combined; 0.5 where not given
}

// ClassifySpec says how the index becomes levels.
type ClassifySpec struct {
	Method     calc.Method `json:"method"`
	K          int         `json:"k,omitempty"` // 0: as many as the ladder has
	Thresholds []float64   `json:"thresholds,omitempty"`
	Ties       calc.Ties   `json:"ties,omitempty"`
	Step       float64     `json:"step,omitempty"`
}

// OverlayHazard is one hazard of an overlay.
type OverlayHazard struct {
	Hazard string   `json:"hazard"`
	Weight *float64 `json:"weight,omitempty"`
}

// OverlaySpec asks for the hazards of each unit beside its index.
type OverlaySpec struct {
	Source   string          `json:"source,omitempty"`    // hazard_areas (the default), or zones: plans in force
	Hazards  []OverlayHazard `json:"hazards"`             // at least one
	AtLeast  int             `json:"at_least,omitempty"`  // hazards of this level or worse are counted; 0: 2
	MinShare float64         `json:"min_share,omitempty"` // a level counts where it covers this share of the unit
}

// PreventionSpec makes prevention classes of risk, capability and key dangers.
type PreventionSpec struct {
	Rule       string       `json:"rule,omitempty"`      // "": prevention_matrix
	RiskPlan   string       `json:"risk_plan,omitempty"` // a plan of risk whose zones say the risk; "": the index does
	Capability ClassifySpec `json:"capability,omitzero"`
	Dangers    *bool        `json:"dangers,omitempty"` // 重大隐患 raise the class; true where not given
}

// ComputeSpec is a computation, as it is sent and as it is kept with the plan.
type ComputeSpec struct {
	Unit       string          `json:"unit"` // village | township | cell_1km | cell_30s
	Indicators []IndicatorSpec `json:"indicators"`
	Weights    WeightsSpec     `json:"weights"`
	Combine    string          `json:"combine"`              // sum | product | power | risk_capability
	Base       string          `json:"base,omitempty"`       // of risk_capability: sum | product | power; "": product
	Capacity   *float64        `json:"capability,omitempty"` // k of R' = R·(1-k·C); 0.5 where not given
	Classify   ClassifySpec    `json:"classify"`
	Overlay    *OverlaySpec    `json:"overlay,omitempty"`
	Prevention *PreventionSpec `json:"prevention,omitempty"`
	Dissolve   string          `json:"dissolve,omitempty"` // none (default) | township | level
}

// Warning is something about a result its reader must know.
type Warning struct {
	Code string `json:"code"`
	Path string `json:"path,omitempty"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// MissingUnit is a unit without a result, and for want of what.
type MissingUnit struct {
	Code       string   `json:"code"`
	Name       string   `json:"name"`
	Indicators []string `json:"indicators"`
}

// WeightResult is what an indicator came to weigh, and its values in short.
type WeightResult struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Group    string   `json:"group"`
	Weight   float64  `json:"weight"`
	Entropy  *float64 `json:"entropy,omitempty"` // the weight by entropy alone
	AHP      *float64 `json:"ahp,omitempty"`     // the weight by comparison alone
	Constant bool     `json:"constant,omitempty"`
	Missing  int      `json:"missing,omitempty"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
	Mean     *float64 `json:"mean"`
	// Withheld: the layer is more protected than zones are, so its figures are not kept
	// with the plan and its zones, whom others read. The index is made of it.
	Withheld bool `json:"withheld,omitempty"`
}

// ComputeInput is where numbers came from.
type ComputeInput struct {
	ID           string `json:"id"` // of the indicator
	Layer        string `json:"layer"`
	Datasets     string `json:"datasets"`       // titles, joined
	Date         string `json:"date,omitempty"` // 截至: the latest of the data sets
	Rows         int64  `json:"rows"`
	WithoutValue int64  `json:"without_value,omitempty"` // rows whose field is empty: in no number
	Position     string `json:"position"`                // of the feed
}

// ComputeResult is what a computation came to. It is also the larger part of plan.method.
type ComputeResult struct {
	Plan       string         `json:"plan"`
	Units      int            `json:"units"`
	Zones      int            `json:"zones"`
	Missing    []MissingUnit  `json:"missing"` // at most 200 of them
	MissingN   int            `json:"missing_n"`
	Weights    []WeightResult `json:"weights"`
	CR         *float64       `json:"cr,omitempty"`
	LambdaMax  *float64       `json:"lambda_max,omitempty"`
	Breaks     []float64      `json:"breaks"`
	Counts     []int          `json:"counts"` // units by level, 1 first
	GVF        float64        `json:"gvf"`
	SSW        float64        `json:"ssw"`
	SST        float64        `json:"sst"`
	Inputs     []ComputeInput `json:"inputs"`
	Rules      []RuleRef      `json:"rules"`
	Warnings   []Warning      `json:"warnings"`
	ComputedAt time.Time      `json:"computed_at"`
}
