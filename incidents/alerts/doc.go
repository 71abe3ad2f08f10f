// Package alerts owns warnings as chains: a message in CAP comes in, an Update takes the
// place of the one before, a Cancel ends it. It knows who is in the area, who has been
// reached, and passes messages on (转发). It issues nothing: public release belongs to the
// 预警信息发布中心.
//
// It writes alert_messages, alert_targets, alert_removed, alert_receipts, alert_outbound
// and the rows of alerts that came by it. It imports incidents/cap and internal/{audit,
// auth, db, geo, records, registry}. It must not import another domain or internal/api.
//
// Invariants: a chain has one live event (the database holds that too); a message taken
// is kept as it came and never changes; the same message again is the same alert; a Cancel
// goes wherever its chain had gone; what is to be passed on stands in the outbox before
// anybody is told so, and goes only to addresses the setting names.
package alerts
