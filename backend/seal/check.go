package seal

// A check is one line of defence. Attack tests take single ones out to prove that
// it is that line which holds: with it gone, the attack has to succeed. Only tests
// write to without.
type check uint8

const (
	checkVersion check = iota // one suite a version
	checkRole
	checkVault
	checkEpoch
	checkBind
	checkCommit
	checkTag
	hedging
	checks
)

var without [checks]bool

func (c check) skipped() bool { return without[c] }

// fails says whether the check finds bad.
func (c check) fails(bad bool) bool { return bad && !without[c] }

// keep returns what the check binds an object to: nothing, if it is taken out.
func (c check) keep(b ...byte) []byte {
	if without[c] {
		return nil
	}
	return b
}

// unchecked decrypts without authenticating. It is nil but in the test that takes checkTag out.
var unchecked func(key [32]byte, nonce, sealed []byte) []byte
