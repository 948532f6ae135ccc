//go:build unix

package localdb

import (
	"os/exec"
	"syscall"
)

// maxRSS is in KiB on Linux.
func maxRSS(c *exec.Cmd) int64 { return c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss }
