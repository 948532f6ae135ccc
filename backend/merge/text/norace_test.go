//go:build !race

package text

const slowness = 1
