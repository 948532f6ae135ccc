package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// resultVariable names the file that a measuring process writes its figures to.
const resultVariable = "PLAIT_BENCH_RESULT"

// A figure is what a measuring process saw of the program it ran.
type figure struct {
	Wall   time.Duration
	CPU    time.Duration // user and system, with the children that it waited for
	Memory int64
	Exit   int
}

// run runs a program to its end. It is started by a small process of our own: on Linux
// a process's peak memory starts with that of whoever forked it, and this one has held
// the data set's largest file.
func run(env []string, name string, args ...string) (took, []byte, error) {
	self, err := os.Executable()
	if err != nil {
		return took{}, nil, err
	}
	result, err := os.CreateTemp("", "plait-bench-*.json")
	if err != nil {
		return took{}, nil, err
	}
	defer os.Remove(result.Name())
	defer result.Close()
	cmd := exec.Command(self, append([]string{name}, args...)...)
	cmd.Env = append(append(os.Environ(), env...), resultVariable+"="+result.Name())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var f figure
	if e := json.NewDecoder(result).Decode(&f); err == nil {
		err = e
	}
	if err == nil && f.Exit != 0 {
		err = fmt.Errorf("ended with status %d", f.Exit)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, errs.Bytes(), out.Bytes())
	}
	t := unknown
	t.Wall, t.CPU, t.Memory = f.Wall.Seconds(), f.CPU.Seconds(), float64(f.Memory)
	return t, out.Bytes(), err
}

// measureOne is the measuring process: it runs its arguments and writes a figure.
func measureOne(result string, args []string) error {
	os.Unsetenv(resultVariable)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	began := time.Now()
	err := cmd.Run()
	f := figure{Wall: time.Since(began), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), Memory: peak(cmd.ProcessState)}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		f.Exit, err = exit.ExitCode(), nil
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return os.WriteFile(result, text, 0o600)
}
