package engine

import (
	"fmt"

	"plait/backend/item"
	"plait/backend/localdb"
)

// rowDepth holds, for texts that travel with an earlier one as dictionary, how many
// lean on each other: dot/item/lane/path. No row: none.
const rowDepth = "z/"

func depthRow(n item.Name, k item.Key, d item.Dot) string {
	return fmt.Sprintf("%s%s/%s/%d%s", rowDepth, d, n, k.Lane, k.Path)
}

// depth is how many texts an earlier value of an atom leans on; -1 where that is not
// known, because it came in a snapshot.
func (e *Engine) depth(n item.Name, k item.Key, d item.Dot) int {
	row := depthRow(n, k, d)
	if v, ok := e.depths[row]; ok {
		return v
	}
	v := 0
	err := e.db.View(func(tx localdb.Tx) error {
		b, ok, err := tx.Get(row)
		if err != nil {
			return err
		}
		if ok && len(b) == 1 {
			v = int(b[0])
		} else if e.meta.Floor.Covers(d) {
			v = -1
		}
		return nil
	})
	if err != nil {
		return -1
	}
	return v
}

func (e *Engine) setDepth(b *batch, n item.Name, k item.Key, d item.Dot, depth uint8) {
	row := depthRow(n, k, d)
	e.depths[row] = int(depth)
	b.rows = append(b.rows, func(tx localdb.Tx) error { return tx.Set(row, []byte{depth}) })
}
