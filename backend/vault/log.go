package vault

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/merge"
	"plait/backend/problem"
)

// Log lists what was done in the vault, by whom and when, newest first: entries of
// all journals and statements about members. It tells of no values.
func (v *Vault) Log(ctx context.Context, q LogQuery) ([]LogRow, error) {
	f, err := v.filter(q)
	if err != nil {
		return nil, err
	}
	past, err := v.eng.History(ctx, "")
	if err != nil {
		return nil, err
	}
	var rows []LogRow
	for _, p := range past {
		en := p.Entry
		wrote := items(en)
		if q.Item != "" && !slices.Contains(wrote, q.Item) {
			continue
		}
		rows = append(rows, LogRow{Time: en.Time.Time(), Device: v.eng.DeviceName(en.Author.Device), Seq: en.Seq, Action: en.Action.String(),
			Target: targets(wrote), Detail: detail(en), Version: p.Hash.String()})
	}
	for _, ev := range v.eng.Ring().Events() {
		if ev.Counts && q.Item == "" {
			rows = append(rows, v.event(ev))
		}
	}
	slices.SortStableFunc(rows, func(a, b LogRow) int { return b.Time.Compare(a.Time) })
	rows = slices.DeleteFunc(rows, func(r LogRow) bool { return !f(r) })
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	if rows == nil {
		rows = []LogRow{}
	}
	return rows, nil
}

func (v *Vault) filter(q LogQuery) (func(LogRow) bool, error) {
	var since, until time.Time
	for _, x := range []struct {
		s  string
		to *time.Time
	}{{q.Since, &since}, {q.Until, &until}} {
		if x.s == "" {
			continue
		}
		t, ok := parseTime(x.s, v.o.Clock())
		if !ok {
			return nil, &problem.Error{Code: "usage", Message: fmt.Sprintf("%q is no time.", x.s), Hint: "Give 2026-11-01, 2026-11-01T09:30:00Z, or 2h for two hours ago."}
		}
		*x.to = t
	}
	return func(r LogRow) bool {
		return (q.Device == "" || strings.EqualFold(r.Device, q.Device)) &&
			(q.Action == "" || r.Action == q.Action) &&
			(since.IsZero() || !r.Time.Before(since)) && (until.IsZero() || !r.Time.After(until))
	}, nil
}

// items are the items that an entry wrote, in its order.
func items(en *item.Entry) []string {
	var names []string
	seen := map[item.Name]bool{}
	for _, w := range en.Writes {
		if !seen[w.Item] {
			seen[w.Item] = true
			names = append(names, string(w.Item))
		}
	}
	return names
}

// maxTargets is how many items a row of the log names; history names all.
const maxTargets = 8

func targets(names []string) string {
	if more := len(names) - maxTargets; more > 0 {
		return strings.Join(names[:maxTargets], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// detail says how much an entry did, and to which keys; never a value.
func detail(en *item.Entry) string {
	set, removed := 0, 0
	var labels []string
	for _, w := range en.Writes {
		if w.Key.Lane != item.LaneValue {
			continue
		}
		if w.Value.Kind == item.Absent {
			removed++
		} else {
			set++
		}
		if w.Item.Type() != item.Policy && w.Key.Path != "" && len(labels) < 4 {
			labels = append(labels, merge.Label(w.Item.Type(), w.Key))
		}
	}
	s := fmt.Sprintf("%d set", set)
	if removed > 0 {
		s += fmt.Sprintf(", %d removed", removed)
	}
	if len(labels) > 0 {
		s += ": " + strings.Join(labels, ", ")
	}
	if en.Note != "" {
		s += " (" + en.Note + ")"
	}
	return s
}

func (v *Vault) event(ev keyring.Event) LogRow {
	r := LogRow{Time: ev.Time, Version: ev.Name.String(), Action: ev.Kind.String()}
	if ev.Kind == 0 {
		r.Action = "found"
	}
	if ev.Author.IsRecovery() {
		r.Device = "recovery key"
	} else {
		r.Device = v.eng.DeviceName(ev.Author.Device)
	}
	if ev.About != (item.Device{}) {
		r.Target = v.eng.DeviceName(ev.About)
	}
	return r
}

// VerifyLog checks every journal against its chain and its device's signature.
func (v *Vault) VerifyLog(ctx context.Context) ([]Finding, error) {
	checks, err := v.eng.VerifyLog()
	if err != nil {
		return nil, err
	}
	return v.findings(checks), nil
}

func (v *Vault) findings(checks []engine.Check) []Finding {
	out := []Finding{}
	for _, c := range checks {
		f := Finding{Check: c.What, OK: c.Err == nil, Object: c.Object}
		who := v.eng.DeviceName(c.Device)
		switch {
		case c.What == "chain" && c.Err == nil:
			f.Message = fmt.Sprintf("journal of %s: chain intact over %s", who, count(c.Count, "entry", "entries"))
		case c.What == "chain":
			f.Message = fmt.Sprintf("journal of %s: chain broken: %s", who, c.Err)
			f.Hint = "This device's database was changed, or that device wrote two histories. What is on your disks is not affected."
		case c.Err == nil:
			f.Message = c.Object + ": in order"
		default:
			f.Message, f.Hint = v.objectWrong(c)
		}
		out = append(out, f)
	}
	return out
}

// objectWrong says in words what is wrong with an object in the store.
func (v *Vault) objectWrong(c engine.Check) (message, hint string) {
	const often = "A sync tool may still carry it. Another device that has its content can put it anew."
	var b *engine.Bad
	if errors.As(c.Err, &b) {
		p := problem.From(v.bad(b))
		return p.Message, p.Hint
	}
	if p := problem.From(c.Err); p.Code != problem.Internal {
		if !strings.Contains(p.Message, c.Object) {
			p.Message = c.Object + ": " + p.Message
		}
		return p.Message, often
	}
	return fmt.Sprintf("%s: %s", c.Object, c.Err), often
}

// ExportLog writes rows as CSV, safe to open in a spreadsheet, or as JSON.
func (v *Vault) ExportLog(ctx context.Context, q LogQuery, format string, w io.Writer) error {
	rows, err := v.Log(ctx, q)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	case "csv":
		c := csv.NewWriter(w)
		if err := c.Write([]string{"time", "device", "seq", "action", "target", "detail", "version"}); err != nil {
			return err
		}
		for _, r := range rows {
			cells := []string{r.Time.UTC().Format(time.RFC3339Nano), r.Device, strconv.FormatUint(r.Seq, 10), r.Action, r.Target, r.Detail, r.Version}
			for i := range cells {
				cells[i] = noFormula(cells[i])
			}
			if err := c.Write(cells); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	}
	return &problem.Error{Code: "usage", Message: fmt.Sprintf("The log can't be written as %q.", format), Hint: "Name a file that ends in .csv or .json."}
}

// noFormula keeps a spreadsheet from running a cell (OWASP, CSV injection).
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
