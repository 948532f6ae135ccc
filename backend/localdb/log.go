package localdb

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// badgerLog hands Badger's own log on. What it calls information is noise to
// anybody else.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(f string, a ...any)   { l.log.Error("database", "message", line(f, a)) }
func (l badgerLog) Warningf(f string, a ...any) { l.log.Warn("database", "message", line(f, a)) }
func (l badgerLog) Infof(f string, a ...any)    { l.debug(f, a) }
func (l badgerLog) Debugf(f string, a ...any)   { l.debug(f, a) }

func (l badgerLog) debug(f string, a []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("database", "message", line(f, a))
	}
}

func line(f string, a []any) string { return strings.TrimSpace(fmt.Sprintf(f, a...)) }
