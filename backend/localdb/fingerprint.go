package localdb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// Fingerprint names this folder on this machine: it changes when the folder is
// copied, to another machine or to another place on this one, and when it is
// restored from a backup; not when it is moved or the machine restarts. (Hence no
// device number: those are given anew at every start on some systems, and no path.)
//
// It is a hash over the machine's id, and the folder's inode and time of birth;
// the host's name stands in for the machine's id where there is none.
func Fingerprint(dir string) (string, error) {
	inode, born, err := folderID(dir)
	if err != nil {
		return "", fmt.Errorf("identify folder: %w", err)
	}
	machine := strings.TrimSpace(machineID())
	if machine == "" {
		host, _ := os.Hostname() // no name: the folder alone has to do
		machine = "host " + host
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "plait folder 1\n%s\n%d\n%d\n", machine, inode, born))
	return hex.EncodeToString(sum[:16]), nil
}
