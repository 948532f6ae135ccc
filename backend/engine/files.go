package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/plan"
	"plait/backend/state"
)

// maxMergedFile is how large a text file may be for its sides to be merged line by
// line; larger ones are chosen whole.
const maxMergedFile = 4 << 20

var theFile = item.Key{} // the one atom of an item of type files

// filesAtOnce is how many files share one transaction and one wait for the disk.
const filesAtOnce = 1024

// A fileJob is one file of an added folder that is to be written, removed, or only
// noted as it is.
type fileJob struct {
	l     *look
	t     plan.Targeted
	want  item.Value // Kind Absent: remove
	note  bool       // the disk has it already
	done  bool
	err   error
	aside disk.Swapped
}

// writeFiles brings the files of one replica to what is shown. It returns what it
// did for each name, and stops early only for the database or ctx.
func (e *Engine) writeFiles(ctx context.Context, r *replica, names []item.Name, w *written) (late map[item.Name]bool, err error) {
	late = map[item.Name]bool{}
	var blocked []item.Name
	for names := range slices.Chunk(names, filesAtOnce) {
		if err := e.writeSome(ctx, r, names, w, late, &blocked); err != nil {
			return late, err
		}
	}
	// A file that became a folder, or a folder that became a file: what stood in the way
	// has gone meanwhile, or has to be told of.
	for names := range slices.Chunk(blocked, filesAtOnce) {
		if err := e.writeSome(ctx, r, names, w, late, nil); err != nil {
			return late, err
		}
	}
	return late, nil
}

func (e *Engine) writeSome(ctx context.Context, r *replica, names []item.Name, w *written, late map[item.Name]bool, blocked *[]item.Name) error {
	var jobs []*fileJob
	var contents []*item.Content
	fail := func(n item.Name, err error) {
		if blocked != nil && errors.Is(err, disk.ErrOdd) {
			*blocked = append(*blocked, n)
			return
		}
		late[n] = true
		if errors.Is(err, errAgain) {
			w.again = true
			return
		}
		bad, offline := e.contentTrouble(n, err)
		if bad != nil {
			w.bad = append(w.bad, bad)
		}
		if offline != nil && w.offline == nil {
			w.offline = offline
		}
		w.waiting = append(w.waiting, e.waiting(r, n, e.pathOf(r, n), err))
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		j, err := e.planFile(ctx, r, n)
		if errors.Is(err, errStop) {
			return err
		}
		if err != nil {
			fail(n, err)
			continue
		}
		if j == nil {
			continue
		}
		if !j.note && j.want.Kind == item.Blob && !j.near() {
			contents = append(contents, j.want.Large)
		}
		jobs = append(jobs, j)
	}
	if len(contents) > 0 {
		rd, err := e.reader()
		if err != nil {
			return stop(err)
		}
		if err := rd.Expect(ctx, contents...); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	var changes []disk.Change
	var of []*fileJob
	for _, j := range jobs {
		if j.note {
			continue
		}
		of = append(of, j)
		ch := disk.Change{Path: j.l.path, Expect: expectation(j.l)}
		if j.want.Kind != item.Absent {
			ch.Mode, ch.Expect.ModeMatters = fs.FileMode(j.want.Mode), true
			ch.Content = func() (io.ReadCloser, error) { return e.contentOf(ctx, j) }
		}
		changes = append(changes, ch)
	}
	if err := e.intendFiles(of); err != nil {
		return err
	}
	if len(changes) > 0 {
		err := e.cfg.FS.Write(changes, func(i int, sw disk.Swapped, err error) error {
			e.progress("apply", int64(i+1), int64(len(changes)), 0, 0)
			of[i].took(e, sw, err)
			return ctx.Err()
		})
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("making files durable: %w", err)
		}
	}
	if err := stop(e.commit(func(tx localdb.Tx) error {
		var looks []*look
		for _, j := range jobs {
			if j.note || j.done {
				e.settleFile(j)
				looks = append(looks, j.l)
			}
		}
		return putRows(tx, looks...)
	})); err != nil {
		return err
	}
	for _, j := range of {
		switch {
		case j.done:
			w.applied++
			if err := e.discard(j.aside); err != nil {
				fail(j.l.item, err)
			} else if !j.l.exists {
				e.dropEmpty(r, j.l.path)
			}
		case j.aside.Aside != "":
			fail(j.l.item, e.takeFileAside(ctx, j.l, j.aside))
		default:
			fail(j.l.item, j.err)
		}
	}
	return nil
}

// planFile says what is to be done about a file; nil: nothing.
func (e *Engine) planFile(ctx context.Context, r *replica, n item.Name) (*fileJob, error) {
	path, ok, err := r.src.Locate(n)
	if err != nil || !ok {
		return nil, err
	}
	row, had := r.rows[n]
	l := &look{rep: r, item: n, path: path, row: row, had: had, atoms: map[item.Key]item.Value{}}
	if l.basis, err = e.basisOf(r, n); err != nil {
		return nil, stop(err)
	}
	info, err := e.cfg.FS.Stat(path)
	if err == nil && info.Mode.IsDir() {
		err = disk.ErrOdd
	}
	blocked := errors.Is(err, disk.ErrOdd) // a folder, or below a file
	switch {
	case blocked, errors.Is(err, fs.ErrNotExist):
		if had && row.present {
			return nil, errAgain
		}
	case err != nil:
		return nil, err
	default:
		if !had || !row.present || info.Stamp != row.stamp {
			return nil, errAgain
		}
		l.info, l.exists, l.hash = info, true, row.hash
		l.atoms[theFile] = l.basis[theFile].Value
	}
	if err := e.inflate(ctx, n); err != nil {
		return nil, err
	}
	layers, err := e.layers(n)
	if err != nil {
		return nil, stop(err)
	}
	t := plan.Target(n.Type(), layers, l.atoms, l.basis)
	keepWhole(l, &t)
	j := &fileJob{l: l, t: t, want: t.Want[theFile]}
	if j.want.Kind != item.Absent && j.want.Mode == 0 {
		j.want.Mode = 0o644 // a merged text, whose sides agreed on nothing else
	}
	if j.want.Kind == item.Absent {
		j.note = !l.exists
		if j.note && !had && !l.exists && len(t.Basis) == 0 {
			return nil, nil
		}
		return j, nil
	}
	if blocked {
		// An empty folder is nobody's: folders are only the way to files.
		if err := e.cfg.FS.RemoveDir(path); err != nil {
			return nil, err
		}
		if _, err := e.cfg.FS.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, disk.ErrOdd
		}
	}
	j.note = l.exists && l.atoms[theFile].Same(e.named(j.want))
	return j, nil
}

// keepWhole keeps a file whose removal is in conflict with an edit: whether it goes is
// for a person to say, and until then it stands for what it stood for.
func keepWhole(l *look, t *plan.Targeted) {
	typ := l.item.Type()
	v, on := l.atoms[theFile]
	if _, wanted := t.Want[theFile]; wanted || !on || len(t.Conflicts) == 0 || typ != item.Files && typ != item.Prompts {
		return
	}
	t.Want[theFile] = v
	delete(t.Basis, theFile)
	if b, had := l.basis[theFile]; had {
		t.Basis[theFile] = b
	}
}

// dropEmpty removes the folders that a removal left empty, up to the replica's root.
func (e *Engine) dropEmpty(r *replica, path string) {
	root := filepath.Clean(r.src.Root())
	for dir := filepath.Dir(path); len(dir) > len(root) && strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
		if err := e.cfg.FS.RemoveDir(dir); err != nil {
			return // it only looks untidy
		}
		if _, err := e.cfg.FS.Lstat(dir); err == nil {
			return
		}
	}
}

// took takes in what became of one change.
func (j *fileJob) took(e *Engine, sw disk.Swapped, err error) {
	switch {
	case errors.Is(err, disk.ErrChanged):
		j.err = errAgain
	case err != nil:
		j.err = err
		j.aside = sw
	case sw.Aside != "" && (sw.Raced || !sw.Before.Stamp.Same(j.l.info.Stamp)):
		j.aside = sw
	default:
		j.done, j.aside = true, sw
		j.l.exists = j.want.Kind != item.Absent
		j.l.info, j.l.hash = sw.After, item.Hash{}
		if j.l.exists {
			j.l.hash = e.contentHash(j.want)
		}
	}
}

// named is a value as it is found again on disk: text over SmallFile by its hash.
func (e *Engine) named(v item.Value) item.Value {
	if v.Kind == item.Text && len(v.Data) > SmallFile {
		return item.Value{Kind: item.Blob, Mode: v.Mode, Large: &item.Content{Size: int64(len(v.Data)), Hash: e.namer.Name(v.Data)}}
	}
	return v
}

func (e *Engine) namedBasis(b plan.Basis) plan.Basis {
	out := plan.Basis{}
	for k, a := range b {
		a.Value = e.named(a.Value)
		out[k] = a
	}
	return out
}

// contentHash is the hash by which a file row knows the value's content.
func (e *Engine) contentHash(v item.Value) item.Hash {
	if v.Kind == item.Blob {
		return v.Large.Hash
	}
	return e.namer.Name(v.Data)
}

// inflate turns the sides of a file in conflict into texts, where they are that,
// so that they merge line by line.
func (e *Engine) inflate(ctx context.Context, n item.Name) error {
	it, err := e.item(n)
	if err != nil {
		return stop(err)
	}
	a := it.Atoms[theFile]
	if a == nil || len(a.Live) < 2 {
		return nil
	}
	texts := map[item.Hash][]byte{}
	for _, list := range [][]state.Sibling{a.Live, a.Past} {
		for _, s := range list {
			if s.Value.Kind != item.Blob || texts[s.Value.Large.Hash] != nil {
				continue
			}
			if s.Value.Large.Size > maxMergedFile {
				return nil
			}
			b, err := e.bytesOf(ctx, s.Value, maxMergedFile)
			if err != nil {
				return err
			}
			if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
				return nil
			}
			texts[s.Value.Large.Hash] = b
		}
	}
	e.texts[n] = texts
	return nil
}

// settleFile notes what is known of a file once it is as it should be.
func (e *Engine) settleFile(j *fileJob) {
	l := j.l
	l.basis = e.namedBasis(j.t.Basis)
	if v, ok := l.basis[theFile]; ok && l.exists && j.done {
		v.Value.Mode = fileMode(l.info)
		l.basis[theFile] = v
	}
	sure := l.row.sure
	if j.done {
		sure = l.info.Stamp.Exchanged()
	}
	l.row = fileRow{hash: l.hash, present: l.exists, mask: l.rep.src.MaskPrint()}
	if l.exists {
		l.row.stamp, l.row.sure = l.info.Stamp, sure
	}
}

func (e *Engine) intendFiles(jobs []*fileJob) error {
	if len(jobs) == 0 {
		return nil
	}
	rows := make(map[item.Name][]byte, len(jobs))
	for _, j := range jobs {
		b, err := encodeBasis(e.namedBasis(j.t.Basis))
		if err != nil {
			return stop(err)
		}
		var h item.Hash
		if j.want.Kind != item.Absent {
			h = e.contentHash(j.want)
		}
		rows[j.l.item] = intent{hash: h, basis: b}.marshal()
	}
	rep := jobs[0].l.rep
	if err := e.commit(func(tx localdb.Tx) error {
		if err := e.beginWriting(tx, rep); err != nil {
			return err
		}
		for _, n := range sortedNames(rows) {
			if err := tx.Set(rowIntent+rep.src.ID()+"/"+string(n), rows[n]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return stop(err)
	}
	for n, b := range rows {
		rep.intents[n] = b
	}
	return nil
}
