package state

import (
	"fmt"

	"plait/backend/item"
)

// A Strategy says what is shown where siblings differ in meaning.
type Strategy string

const (
	Merge  Strategy = "merge"  // merge what merges cleanly; ask about the rest
	Latest Strategy = "latest" // the latest wins, whole
	Local  Strategy = "local"  // an author of a sibling made by hand chooses its own, once; else the latest
	Remote Strategy = "remote" // an author of a sibling made by hand chooses another's, once; else the latest
	Manual Strategy = "manual" // ask, even where a merge is clean

	// Merge what merges cleanly; the rest takes the latest, local or remote one.
	MergeLatest Strategy = "merge-latest"
	MergeLocal  Strategy = "merge-local"
	MergeRemote Strategy = "merge-remote"
)

// ParseStrategy reads a strategy's name.
func ParseStrategy(s string) (Strategy, error) {
	switch st := Strategy(s); st {
	case Merge, Latest, Local, Remote, Manual, MergeLatest, MergeLocal, MergeRemote:
		return st, nil
	}
	return "", fmt.Errorf("unknown strategy %q", s)
}

// merges says whether clean merges are shown.
func (s Strategy) merges() bool {
	switch s {
	case Latest, Local, Remote, Manual:
		return false
	}
	return true
}

// asks says whether what is left is a conflict; else the latest is shown.
func (s Strategy) asks() bool {
	switch s {
	case Latest, Local, Remote, MergeLatest, MergeLocal, MergeRemote:
		return false
	}
	return true
}

// Chooses says which side an author of a sibling made by hand chooses, once, for
// what is left: Local or Remote, or "" for no choice.
func (s Strategy) Chooses() Strategy {
	switch s {
	case Local, MergeLocal:
		return Local
	case Remote, MergeRemote:
		return Remote
	}
	return ""
}

// Always is the policy that has one strategy for everything.
func Always(s Strategy) func(item.Key) Strategy {
	return func(item.Key) Strategy { return s }
}
