package localdb

// syncDir does nothing: NTFS journals names with the rename, and Windows can't sync a folder.
func syncDir(string) error { return nil }
