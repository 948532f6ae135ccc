package vault

import (
	"context"
	"fmt"
	"time"

	"plait/backend/item"
	"plait/backend/state"
)

// lastSyncStep is how stale "last sync" may grow before a sync with nothing to do
// writes it down.
const lastSyncStep = 5 * time.Minute

// Status is the whole, as known here without asking the store.
func (v *Vault) Status(ctx context.Context) (Status, error) {
	me := v.local.Device.ID()
	s := Status{Vault: v.local.Vault.String(), Device: me.String(), DeviceName: v.eng.DeviceName(me), Store: v.cfg.Store,
		Keys: KeysMode(v.local.Mode), LastSync: v.cfg.LastSync, Problems: v.cfg.Found, Types: []TypeStatus{}, Editors: []EditorInfo{}}
	var err error
	if s.Unsent, err = v.eng.Unsent(); err != nil {
		return s, err
	}
	eds, err := v.Editors(ctx)
	if err != nil {
		return s, err
	}
	for _, e := range eds {
		if e.Attached {
			s.Editors = append(s.Editors, e)
		}
	}
	conflicts, err := v.typeRows(ctx, &s)
	if err != nil {
		return s, err
	}
	if v.local.Loose {
		s.Problems = append(s.Problems, Notice{Code: "loose", Message: "Others on this machine may read this device's keys.", Hint: "chmod 600 " + v.o.Home + "/keys.plait"})
	}
	if v.storeErr != nil && len(s.Problems) == 0 {
		s.Problems = append(s.Problems, v.noticeOf(v.storeErr))
	}
	v.sentence(&s, conflicts)
	return s, nil
}

type typeKey struct {
	collection string
	t          item.Type
}

// typeRows fills in a row for each data type of each collection.
func (v *Vault) typeRows(ctx context.Context, s *Status) (conflicts int, err error) {
	set, err := v.eng.Strategies()
	if err != nil {
		return 0, err
	}
	rows := map[typeKey]*TypeStatus{}
	var order []typeKey
	row := func(n item.Name) *TypeStatus {
		k := typeKey{n.Collection(), n.Type()}
		if rows[k] == nil {
			strategy := state.Merge
			if d, ok := set["default"]; ok {
				strategy = d
			}
			if st, ok := set[string(k.t)]; ok {
				strategy = st
			}
			rows[k] = &TypeStatus{Collection: k.collection, Type: string(k.t), Strategy: string(strategy)}
			order = append(order, k)
		}
		return rows[k]
	}
	names, err := v.eng.Items()
	if err != nil {
		return 0, err
	}
	for _, n := range names {
		if n.Type() != item.Policy && n == n.Shared() {
			row(n).Items++
		}
	}
	open, err := v.eng.Conflicts(ctx, "")
	if err != nil {
		return 0, err
	}
	for _, o := range open {
		row(o.Item).Conflicts++
	}
	waiting, err := v.eng.WaitingItems()
	if err != nil {
		return 0, err
	}
	for _, w := range waiting {
		if w.Item != "" {
			row(w.Item).Waiting++
		}
		x := v.waiting(w)
		s.Problems = append(s.Problems, Notice{Code: x.Code, Item: x.Item, Message: x.File + ": " + x.Reason, Hint: x.Hint})
	}
	asked, err := v.eng.Asked()
	if err != nil {
		return 0, err
	}
	for _, n := range asked {
		row(n).Approval++
		s.Approvals = append(s.Approvals, string(n))
	}
	for _, c := range order {
		s.Types = append(s.Types, *rows[c])
	}
	return len(open), nil
}

func (v *Vault) sentence(s *Status, conflicts int) {
	since := "never synced"
	if !s.LastSync.IsZero() {
		since = "last sync " + ago(v.o.Clock().Sub(s.LastSync))
	}
	switch {
	case len(s.Problems) > 0:
		s.State, s.Sentence = "problem", s.Problems[0].Message
	case conflicts > 0:
		s.State = "needs-you"
		s.Sentence = fmt.Sprintf("%s for you to decide; everything else flows, %s", count(conflicts, "conflict waits", "conflicts wait"), since)
	case len(s.Approvals) > 0:
		s.State = "needs-you"
		s.Sentence = fmt.Sprintf("%s for your approval, %s", count(len(s.Approvals), "item waits", "items wait"), since)
	case len(s.Editors) == 0:
		s.State, s.Sentence = "waiting", "nothing is attached yet: `plait editors` lists what is found here"
	case s.LastSync.IsZero():
		s.State, s.Sentence = "waiting", "not synced yet: `plait sync` does it"
	case s.Unsent > 0:
		s.State = "waiting"
		s.Sentence = fmt.Sprintf("%s to be sent, %s", count(s.Unsent, "change waits", "changes wait"), since)
	default:
		s.State, s.Sentence = "up-to-date", "up to date, "+since
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ago is a duration in words.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int(d.Minutes()), "minute ago", "minutes ago")
	case d < 48*time.Hour:
		return count(int(d.Hours()), "hour ago", "hours ago")
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// Items lists the vault's items, for shell completion.
func (v *Vault) Items(ctx context.Context) ([]string, error) {
	names, err := v.eng.Items()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range names {
		if n.Type() != item.Policy {
			out = append(out, string(n))
		}
	}
	return out, nil
}

// DeviceNames lists the names of the vault's devices, for shell completion.
func (v *Vault) DeviceNames(ctx context.Context) ([]string, error) {
	var out []string
	for _, m := range v.eng.Ring().Live() {
		out = append(out, v.eng.DeviceName(m.Device))
	}
	return out, nil
}
