package journal

// A check is one line of defence. Attack tests take single ones out to prove that
// it is that line which holds: with it gone, the attack has to succeed. Only
// tests write to without.
type check uint8

const (
	checkHash    check = iota // a record's, segment's, head's or snapshot's bytes are those that its name says
	checkPayload              // a payload is the one that its header says
	checkPrev                 // each record names the one before
	checkSeq                  // sequences go up by one
	checkAuthor               // a journal has one author
	checkRange                // a segment holds what it is said to hold
	checkLink                 // a segment links to the one right before
	checkNumbers              // sequences and clocks within reason
	checkOwn                  // an entry does not depend on its own journal
	checkSize                 // what is unpacked is as long as it was said to be
	checkCount                // how many things there may be
	checkNest                 // how deep they may lie
	checkText                 // a text is the one that was written
	checkDepth                // texts lean on few others
	checkName                 // a head is the one that its name says
	checkSigned               // and signed by its device
	checkInline               // its entries end where it says
	checkBack                 // heads do not go back
	checkFork                 // nor sideways
	checkEnd                  // a journal reaches as far as its head says
	checkLast                 // a snapshot ends where its writer ended it
	checkAlone                // what is likely secret is compressed alone
	checks
)

var without [checks]bool

// fails says whether the check finds bad.
func (c check) fails(bad bool) bool { return bad && !without[c] }
