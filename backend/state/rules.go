package state

import "plait/backend/item"

// Stands in for package merge until that compiles.
type mergeRules struct{}
type Reason struct {
	Code string
	Args map[string]string
}

func (mergeRules) Same(t item.Type, k item.Key, a, b item.Value) bool { return a.Same(b) }
func (mergeRules) Value(t item.Type, k item.Key, base *item.Value, l, r item.Value) (item.Value, bool) {
	return item.Value{}, false
}
func (mergeRules) Label(t item.Type, k item.Key) string { return k.Path }

var merge mergeRules
