package folderstore

import (
	"testing"

	"plait/backend/store/driver"
	"plait/backend/store/storetest"
)

func TestBucket(t *testing.T) {
	storetest.Run(t, func(t *testing.T) driver.Bucket {
		b, err := Create(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
