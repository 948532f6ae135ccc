package journal

import "plait/backend/item"

// secret says whether a value is compressed alone (J5).
func secret(k item.Key, v item.Value) bool {
	return checkAlone.fails(item.LikelySecret(k.Segments(), v.Data))
}
