//go:build !unix

package main

import "time"

// idle is not known here.
func (p *plait) idle(string, time.Duration) (took, error) { return unknown, errNot }
