package problem

// A Code names a problem. It is itself an error, so errors.Is(err, problem.Busy)
// works on anything that wraps it.
type Code string

func (c Code) Error() string { return string(c) }

// What was asked.
const (
	Usage           Code = "usage"            // the command line, or an argument, is not of its form
	NoVault         Code = "no-vault"         // nothing was set up here
	Exists          Code = "exists"           // there is a vault already, here or in the store
	Unknown         Code = "unknown"          // nothing of this name, whatever it should be
	UnknownItem     Code = "unknown-item"     // no item (type, collection) of this name
	UnknownEditor   Code = "unknown-editor"   // no editor, profile or added folder of this name
	UnknownDevice   Code = "unknown-device"   // no device of this name
	UnknownVersion  Code = "unknown-version"  // no such version, or nothing as old as the time given
	UnknownConflict Code = "unknown-conflict" // no open conflict there: perhaps resolved elsewhere
	UnknownKey      Code = "unknown-key"      // the item has no such key
	Dropped         Code = "dropped"          // a version whose content is no longer kept
	Ambiguous       Code = "ambiguous"        // several fit the name or version
	Invalid         Code = "invalid"          // a value that can't stand there
	Attached        Code = "attached"         // attached already, or to another collection
	NotEmpty        Code = "not-empty"        // a folder that must be empty is not
	LastDevice      Code = "last-device"      // the one device left can't be revoked
)

// Keys.
const (
	Locked          Code = "locked"           // keys are sealed, and no passphrase can be had
	NoKeychain      Code = "no-keychain"      // the system's keychain can't be used
	WrongPassphrase Code = "wrong-passphrase" // does not open the keys
	WrongKey        Code = "wrong-key"        // recovery words (or their passphrase) of another vault, or old ones
	WrongCode       Code = "wrong-code"       // a pairing code that is mistyped, used or expired
	Refused         Code = "refused"          // the other device did not approve
	KeysDamaged     Code = "keys-damaged"     // what holds the keys is cut or changed
	Revoked         Code = "revoked"          // this device is no longer a member
)

// The store.
const (
	Offline     Code = "offline"      // can't be reached now
	Denied      Code = "denied"       // refuses what we have for signing in, or the right
	Full        Code = "full"         // out of space
	ReadOnly    Code = "readonly"     // takes nothing
	Missing     Code = "missing"      // the folder, bucket or account itself is not there
	Foreign     Code = "foreign"      // holds another vault, or something that is not a vault
	Newer       Code = "newer"        // was written by a newer Plait
	Incomplete  Code = "incomplete"   // an object is named and not there: perhaps on its way
	Changed     Code = "changed"      // an object is not what its name and seal say
	Rollback    Code = "rollback"     // older than what was seen there before
	Stranger    Code = "stranger"     // written by no member
	Forked      Code = "forked"       // one device, two histories
	NotOurs     Code = "not-ours"     // somebody else wrote under this device's name
	BadLocation Code = "bad-location" // the URL names no store that Plait knows
)

// This device.
const (
	Busy        Code = "busy"          // another process holds the database
	Damaged     Code = "damaged"       // the local database is unreadable
	Lost        Code = "lost-database" // the local database lost its tail
	KeyMismatch Code = "key-mismatch"  // this device's keys do not open its database
	Copied      Code = "copied"        // this home was copied from, or restored on, another machine
	DiskFull    Code = "disk-full"     // no space here
	DiskError   Code = "disk-error"    // the disk failed to read or write
	HomeDenied  Code = "home-denied"   // Plait's own folder can't be read or written
	Clock       Code = "clock"         // this device's clock is far off
	OldSchema   Code = "old-schema"    // the database was written by a newer Plait
)

// The person's files.
const (
	Syntax     Code = "syntax"      // not valid JSON with comments
	Encoding   Code = "encoding"    // not valid UTF-8
	TooLarge   Code = "too-large"   // over the limit
	TooDeep    Code = "too-deep"    // nested too deeply
	FileLocked Code = "file-locked" // held by another program
	FileDenied Code = "file-denied" // may not be read or written
	FileGone   Code = "file-gone"   // not there
	FileMoved  Code = "file-moved"  // changed while it was being replaced
	OddFile    Code = "odd-file"    // a pipe, a device, a folder where a file should be
	Catch      Code = "catch"       // the safety catch
	Conflict   Code = "conflict"    // choices wait
	Approval   Code = "approval"    // waits for `plait approve`
	Outdated   Code = "outdated"    // what waits is not what was shown
	BadName    Code = "bad-name"    // a name that no file on this system can have
	Clash      Code = "clash"       // two names are one file on this system
)

// Any time.
const (
	Cancelled Code = "cancelled"
	Internal  Code = "internal"
)

// words are what a person reads: what happened and what is safe; what to do.
type words struct{ message, hint string }

var table = map[Code]words{
	Usage:           {"That is not how this command is used.", "See `plait help`."},
	NoVault:         {"There is no vault on this device yet.", "Make one with `plait init --store URL`, or join one with `plait join --store URL --code CODE`."},
	Exists:          {"There is a vault here already. It was left as it is.", "`plait status` shows it. To add this device to a vault, use `plait join`."},
	Unknown:         {"There is nothing of that name.", "`plait status`, `plait editors`, `plait devices` and `plait history` show the names in use."},
	UnknownItem:     {"There is no item of that name.", "`plait history` and `plait status` show the names in use, such as default/settings."},
	UnknownEditor:   {"No editor or folder of that name is known here.", "`plait editors` lists what is found. A folder anywhere is added with `plait attach --path DIR --name NAME`."},
	UnknownDevice:   {"There is no device of that name in this vault.", "`plait devices` lists them."},
	UnknownVersion:  {"No version fits.", "`plait history ITEM` lists versions. Give 8 or more of a version's digits, or a time such as 2026-11-01 or 2h."},
	UnknownConflict: {"There is no open conflict there. Perhaps it was resolved on another device.", "`plait conflicts` lists what is open."},
	UnknownKey:      {"The item has no such key.", "Give one --path for each segment; dots are not split."},
	Dropped:         {"The content of that version is no longer kept.", "`plait history ITEM` shows the versions that are."},
	Ambiguous:       {"Several things fit.", "Say more of the name."},
	Invalid:         {"That value can't stand there. Nothing was changed.", "Values are JSON: quote strings, as in --value '\"dark\"'."},
	Attached:        {"It is attached already. Nothing was changed.", "`plait editors` shows to what. `plait detach NAME` ends it and leaves the files."},
	NotEmpty:        {"The folder is not empty. Nothing was written.", "Name a new or an empty folder."},
	LastDevice:      {"This is the only device of the vault, so it can't be revoked.", "Add another device first, with `plait pair`."},

	Locked:          {"This device's keys are locked by a passphrase. Nothing was read or changed.", "Give it on a terminal, with --passphrase-file FILE, or with PLAIT_PASSPHRASE_FILE."},
	NoKeychain:      {"The system's keychain can't be used here. Nothing was changed.", "Keep keys by a passphrase (--keys passphrase), or unsealed in a file only you can read (--keys file)."},
	WrongPassphrase: {"The passphrase is wrong. Nothing was changed.", "Try again."},
	WrongKey:        {"This key does not open the vault. Nothing was changed.", "Check the words, their order, and the store. Words that were replaced open nothing any more."},
	WrongCode:       {"The pairing code does not fit: mistyped, used before, or older than 10 minutes. Nothing was changed.", "Show a new one with `plait pair` on the other device."},
	Refused:         {"The other device did not approve. Nothing was changed.", "Run `plait pair` there again, compare the four words, and approve."},
	KeysDamaged:     {"What holds the keys is cut or changed, and was not used. Nothing was changed.", "Put the home folder back as a whole, or join the vault again with another device or the recovery words."},
	Revoked:         {"This device was revoked: it no longer takes part. What it has stays here.", "To take part again, join with `plait join` from an empty home folder."},

	Offline:     {"The store can't be reached. Changes made here are kept, and sent later.", "Try again when it is in reach."},
	Denied:      {"The store refused access. Changes made here are kept.", "Check that you may read and write there."},
	Full:        {"The store is full. Downloads still work, and changes made here are kept.", "Free some space there, then sync again."},
	ReadOnly:    {"The store can't be written to. Downloads still work, and changes made here are kept.", "Allow writing there, then sync again."},
	Missing:     {"The store is not there. Nothing was deleted here, and changes made here are kept.", "If it is on a drive or a share, connect it. If it moved, give it back its place."},
	Foreign:     {"The store holds something else than this vault. Nothing was changed, here or there.", "Check the store's URL."},
	Newer:       {"The store was written by a newer Plait. Nothing was changed.", "Update Plait on this device."},
	Incomplete:  {"The store lacks an object that it names; it may still be on its way. All that is whole was applied.", "Sync again in a while. `plait doctor --store` looks at every object."},
	Changed:     {"An object in the store is not what its writer wrote. Nothing of it was applied.", "Somebody or something changed the store. `plait doctor --store` looks at every object; the device that wrote it can put it again."},
	Rollback:    {"The store is older than what was seen there before. Nothing of it was applied, and nothing here was lost.", "Perhaps a backup was restored, or another program is still copying. It goes on by itself once the store is whole again."},
	Stranger:    {"The store holds something that no device of this vault wrote. Nothing of it was applied.", "Perhaps the statement that admits its device is still on its way: sync again in a while. If not, see who can write to the store."},
	Forked:      {"One device has two histories: it was copied, or restored from a backup. Both are kept.", "`plait devices` shows it; revoke the copy if it is not yours."},
	NotOurs:     {"Something else wrote under this device's name. Nothing was overwritten.", "Is this home folder copied to another machine? `plait doctor` tells more."},
	BadLocation: {"That is not a store that Plait knows.", "Give a folder: folder:PATH, or just the path."},

	Busy:        {"Another Plait is at work on this device. Nothing was changed.", "Wait until it has finished, or stop it."},
	Damaged:     {"The local database can't be read. The store and your files were left as they are.", "Move the home folder away, and join the vault again: edits that were not sent are still in your files."},
	Lost:        {"The local database lost its latest changes. Nothing was deleted.", "Sync: it takes from the store what it lacks, and your files as they are."},
	KeyMismatch: {"This device's keys do not open its database: the two are not of one time or one machine. Nothing was changed.", "Put the home folder back as a whole, or move it away and join the vault again: edits that were not sent are still in your files."},
	Copied:      {"This home folder was copied from another machine, or restored from a backup. Nothing was lost.", "It goes on under a fresh name of its own. If the other copy is in use, join there as a device of its own."},
	DiskFull:    {"This device's disk is full. Nothing was lost.", "Free some space, then try again."},
	DiskError:   {"This device's disk failed to read or write something. It was left as it is.", "Check the disk; what the vault holds can be restored elsewhere."},
	HomeDenied:  {"Plait's folder on this device can't be read or written. Nothing was changed.", "Check its owner and rights, or set PLAIT_HOME to another folder."},
	Clock:       {"This device's clock is far off. Nothing is lost by it, but times of changes look wrong.", "Set the clock."},
	OldSchema:   {"The local database was written by a newer Plait. Nothing was changed.", "Update Plait on this device."},

	Syntax:     {"A file is not valid JSON with comments. It was left as it is, and not uploaded.", "Mend it in the editor; all else goes on."},
	Encoding:   {"A file is not valid UTF-8. It was left as it is, and not uploaded.", "Save it as UTF-8."},
	TooLarge:   {"A file is over the limit. It was left as it is, and not uploaded.", "Make it smaller, or keep it out of the folder."},
	TooDeep:    {"A file is nested more than 1,000 levels deep. It was left as it is, and not uploaded.", "Mend it in the editor."},
	FileLocked: {"A file is in use by another program. It was left as it is.", "Close the program, or try again later."},
	FileDenied: {"A file may not be read or written. It was left as it is.", "Check its owner and rights."},
	FileGone:   {"A file is not there.", "Check the path."},
	FileMoved:  {"A file was changed just now by another program. Its new content was kept.", "Sync again."},
	OddFile:    {"Something that is not a regular file stands there. It was left as it is.", "Move it away, or keep it out of the folder."},
	Catch:      {"A great deal is gone from here at once. Nothing of that was recorded or sent.", "If you removed it on purpose, run `plait sync --accept-removals`. If not, put it back, or `plait restore` it."},
	Conflict:   {"Choices wait; everything else is in sync.", "`plait conflicts` shows them, `plait resolve` decides."},
	Approval:   {"Another device changed what runs on this one. It waits and has no effect yet.", "Look at it with `plait approve ITEM --dry-run`, which says how to approve it."},
	Outdated:   {"What waits is not what was shown: it changed since. Nothing was approved.", "Look at it again with `plait approve ITEM --dry-run`."},
	BadName:    {"A name can't be a file's on this system. It is kept in the vault.", "Rename it on the device that it comes from."},
	Clash:      {"Two names are one file on this system. Both are kept in the vault.", "Rename one of them."},

	Cancelled: {"Stopped. What was done until then is kept.", "Run it again to go on."},
	Internal:  {"Something went wrong that Plait did not foresee.", "Run `plait doctor`. With PLAIT_LOG=debug, the command tells what it was doing."},
}

// Known says whether the table has the code.
func Known(c Code) bool { _, ok := table[c]; return ok }
