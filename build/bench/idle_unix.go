//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// idle is how much memory `sync --watch` holds once it has nothing to do any more.
func (p *plait) idle(home string, wait time.Duration) (took, error) {
	cmd := exec.Command(p.program, "sync", "--watch", "--json")
	cmd.Env = append(os.Environ(), p.env(home)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return unknown, err
	}
	if err := cmd.Start(); err != nil {
		return unknown, err
	}
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil { // the first round is over
		return unknown, fmt.Errorf("sync --watch: %w", err)
	}
	time.Sleep(wait)
	text, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(cmd.Process.Pid)).Output()
	if err != nil {
		return unknown, errNot
	}
	kib, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	t := unknown
	t.Memory = kib * 1024
	return t, err
}
