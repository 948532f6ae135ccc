package keyring

// A check is one line of defence. Attack tests take single ones out to prove that
// it is that line which holds: with it gone, the attack has to succeed. Only tests
// write to without.
type check uint8

const (
	checkVaultID    check = iota // the genesis is the one whose hash is the vault's id
	checkGenesis                 // first device and recovery key signed the genesis
	checkName                    // a statement's name is the hash of its bytes
	checkVault                   // a statement names this vault
	checkSignature               // its author signed it
	checkPossession              // a new recovery key signed its own introduction
	checkDeviceID                // a device's id is the hash of its keys
	checkPoint                   // its keys are no low-order points
	checkAdmitted                // its author was a member in its own eyes
	checkRevoked                 // no revoker had not seen it
	checkEpochID                 // an opened epoch key has the epoch's hash
	checkShare                   // a share opens in its vault, for its epoch and recipient only
	checkRecipients              // a current epoch has exactly the live recipients
	checkRun                     // the right to change what runs is not given by who lacks it
	checkWords                   // the recovery key is still the present one
	checkFormat                  // statements and genesis of this format only
	checkLeast                   // the highest least version counts
	checkKDF                     // Argon2id at or above the floor
	checkSlot                    // a slot is for this vault, its key, its parameters
	checkPairTag                 // a pairing message was sealed under the code
	checkPairOffer               // an answer is to this very invitation
	checkPairProof               // the joiner signed with the key it shows
	checkPairOnce                // an invitation takes one answer
	checkPairTime                // and in time
	checks
)

var without [checks]bool

func (c check) skipped() bool { return without[c] }

// fails says whether the check finds bad.
func (c check) fails(bad bool) bool { return bad && !without[c] }
