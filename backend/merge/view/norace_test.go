//go:build !race

package view

const slowness = 1
