package disk

import (
	"os"
	"testing"
)

// There are no pipes among files here; a second directory has to do.
func makePipe(t *testing.T, path string) {
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}
