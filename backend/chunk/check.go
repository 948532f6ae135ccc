package chunk

// A check is a set of the defences that attacks are held off by. All are always on;
// a test takes one out to see that its attack then succeeds, and so that the test
// tests something.
type check uint

const (
	checkKeyed  check = 1 << iota // names depend on the key
	checkGear                     // cuts depend on the key
	checkPad                      // a pack's size is rounded up
	checkSpread                   // chunks go to packs at random
	checkBind                     // a sealed chunk opens only under its own name
	checkName                     // opened bytes hash to the chunk's name
	checkWhole                    // the whole hashes to the content's hash
	checkSize                     // sizes are those stated
	checkBomb                     // what is inflated is bounded
	checkPlace                    // a chunk's place lies in its pack

	allChecks = checkKeyed | checkGear | checkPad | checkSpread | checkBind |
		checkName | checkWhole | checkSize | checkBomb | checkPlace
)

// without is what tests of packages above have taken out: only they write to it.
var without check

func (c check) has(x check) bool { return c&x&^without != 0 }
