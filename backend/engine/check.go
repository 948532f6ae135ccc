package engine

// A check is one line of defence against what a store may show, or a hostile member
// may write. Attack tests take single ones out to prove that it is that line which
// holds: with it gone, the attack has to succeed. Only tests write to without.
// What packages below hold off (seal, journal, keyring, chunk, store) has its checks there.
type check uint8

const (
	checkVault     check = iota // a store in which nothing seen is left is this vault's
	checkBack                   // no head goes back behind the newest seen in this store
	checkGone                   // nor does it vanish
	checkTwin                   // no two heads of one number
	checkOwn                    // nobody else writes under this device's name
	checkOwnSigned              // and what only bears the name is not taken for a copy of this device
	checkMember                 // a head's author is a member
	checkTip                    // a journal goes on from what was read of it
	checkChain                  // its entries follow each other
	checkEnd                    // and end where its head says
	checkRevoked                // what a revoked device wrote unseen does not count
	checkCausal                 // an entry's past is here, the same past
	checkSane                   // an entry can have been written by an honest device
	checkSeen                   // what another device saw is shown
	checkStatement              // nothing is sealed while a statement is held back
	checkRing                   // a statement that does not count is not kept
	checkRun                    // what runs here waits for approval
	checkShape                  // what is laid out says only what was to be written
	checkSnapFrom               // a newcomer starts from the word of one who may change what runs
	checkSnapAhead              // of a snapshot that covers no more than the heads show
	checkSnapSame               // a snapshot is what the journals say before it is countersigned
	checkClock                  // a clock far ahead is not adopted
	checkLog                    // a journal here ends where its device signed
	checkThere                  // a segment that a head names is in the store
	checks
)

var without [checks]bool

// fails says whether the check finds bad.
func (c check) fails(bad bool) bool { return bad && !without[c] }
