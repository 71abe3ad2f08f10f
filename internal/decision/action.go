package decision

import (
	"slices"

	"onemap/internal/auth"
	"onemap/internal/registry"
)

// The actions of this issue and the two emergency orders. Others are in the table for
// the parts that bring their effects.
const (
	Declassify  = "layer.declassify"
	Syslog      = "setting.syslog"
	CallOut     = "call_out"
	EvacuateNow = "evacuate_now"
)

// Action says who proposes and who decides; any one of the permissions is enough.
type Action struct {
	Name      string
	Title     registry.Title
	Propose   auth.Permission
	Decide    []auth.Permission
	Emergency bool
}

// Actions is the table; docs/rights.md is made from it.
func Actions() []Action {
	title := func(zh, en string) registry.Title { return registry.Title{ZH: zh, EN: en} }
	second := []auth.Permission{auth.Countersign}
	return []Action{
		{Declassify, title("降低图层保护级别", "Lower the protection of a layer"), auth.ClassifyLayers, []auth.Permission{auth.ClassifyLayers, auth.Countersign}, false},
		// Where the audit goes is not one person's: the auditor, whose it is, or another
		// who manages security.
		{Syslog, title("更改审计外送", "Change where the audit is sent"), auth.ManageSecurity, []auth.Permission{auth.ReadAudit, auth.ManageSecurity}, false},
		{"danger.close", title("隐患销号", "Close a hidden danger"), auth.WriteFeatures, second, false},
		{"alert.public", title("向公众发布预警", "Warn the public"), auth.SendOrders, second, false},
		{CallOut, title("内部叫应", "Call out our own people"), auth.SendOrders, second, true},
		{EvacuateNow, title("立即转移", "Evacuate now"), auth.SendOrders, second, true},
	}
}

// Find is the line of an action.
func Find(name string) (Action, bool) {
	all := Actions()
	i := slices.IndexFunc(all, func(a Action) bool { return a.Name == name })
	if i < 0 {
		return Action{}, false
	}
	return all[i], true
}
