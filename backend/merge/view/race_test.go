//go:build race

package view

// The race detector makes everything ten times slower, and finds as much in fewer cases.
const slowness = 10
