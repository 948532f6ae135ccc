package engine

import (
	"bytes"
	"context"
	"io"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/item"
)

// wholeFile is up to where a file's content is made in memory; what is larger is
// written as it comes, and takes from the file that it replaces what both have.
const wholeFile = 1 << 20

// near says whether a job's content may largely be in the file that it replaces:
// then only what is not there is fetched.
func (j *fileJob) near() bool {
	return j.want.Kind == item.Blob && j.want.Large.Size > wholeFile && j.l.exists && j.l.info.Size > wholeFile
}

// contentOf gives a job's content to be read once.
func (e *Engine) contentOf(ctx context.Context, j *fileJob) (io.ReadCloser, error) {
	if j.want.Kind != item.Blob {
		return io.NopCloser(bytes.NewReader(j.want.Data)), nil
	}
	if j.want.Large.Size <= wholeFile {
		b, err := e.bytesOf(ctx, j.want, wholeFile)
		return io.NopCloser(bytes.NewReader(b)), err
	}
	present := ""
	if j.near() {
		present = j.l.path
	}
	pr, pw := io.Pipe()
	p := piped{pr, make(chan struct{})}
	go func() {
		pw.CloseWithError(e.copyTo(ctx, pw, j.want, present))
		close(p.ended)
	}()
	return p, nil
}

// piped is content on its way. Who closes it before its end waits until nothing runs
// that uses the engine.
type piped struct {
	*io.PipeReader
	ended chan struct{}
}

func (p piped) Close() error {
	err := p.PipeReader.Close()
	<-p.ended
	return err
}

// copyTo writes a value's content. present, if not "", is a file that may hold parts
// of it; what is read there is checked like all else.
func (e *Engine) copyTo(ctx context.Context, w io.Writer, v item.Value, present string) error {
	if v.Kind != item.Blob {
		_, err := io.Copy(w, bytes.NewReader(v.Data))
		return err
	}
	r, err := e.reader()
	if err != nil {
		return err
	}
	var have *chunk.Have
	if present != "" {
		f, h, err := e.have(ctx, present)
		if err != nil {
			return err
		}
		if f != nil {
			defer f.Close()
		}
		have = h
	}
	return r.Copy(ctx, w, v.Large, have)
}

// have finds the chunks of a file that is here: none, where it can't be read.
func (e *Engine) have(ctx context.Context, path string) (disk.Reader, *chunk.Have, error) {
	f, info, err := e.cfg.FS.Open(path)
	if err != nil {
		return nil, nil, ctx.Err()
	}
	h, err := e.namer.Have(ctx, f, info.Size)
	if err != nil {
		f.Close()
		return nil, nil, ctx.Err()
	}
	return f, h, nil
}
