package store

// A check is a set of the defences against what a store may serve. All are always
// on; a test takes one out to see that the attack then succeeds, and so that the
// test tests something.
type check uint

const (
	checkHash  check = 1 << iota // an object has the hash in its name
	checkLimit                   // an object is no larger than its prefix allows

	allChecks = checkHash | checkLimit
)

func (c check) has(x check) bool { return c&x != 0 }
