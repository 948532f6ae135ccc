package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// program is the real binary, built once for all scripts.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "plait-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "plait")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// TestScripts runs each file of testdata as a script, in a folder of its own that
// holds the files that the script ends with (-- NAME -- and then the content). A line
// is a command, words split at spaces, quoted by ' ', with $NAME replaced:
//
//	plait ARG...         runs the program; 1 plait ... or 2 plait ... where it ends with that status
//	bg plait ARG...      starts it; wait takes its end, status and output; interrupt is Ctrl-C
//	grab NAME REGEXP     waits until what runs in the background prints a match, or takes the last command's; $NAME is its first group
//	stdout REGEXP        the last output matches (! stdout: does not); stderr likewise
//	json PATH VALUE      the last output, as JSON, has VALUE at PATH (a.0.b; * is any, # before it the length); errjson: the error output
//	same A B             two files are equal byte for byte
//	has FILE TEXT        a file holds the text (! has: not)
//	change FILE OLD NEW  replaces text in a file, where it stands once
//	write FILE TEXT      writes a file, with its folders; mkdir, chmod MODE FILE, copy A B, remove FILE, exists FILE
//	stdin FILE           the next plait reads it
//	as NAME              from here on, the home folder is NAME
//	env NAME=VALUE       for what runs from here on
//	git ARG...           runs git
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts in testdata")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && name == "watch" {
				t.Skip("no Ctrl-C can be sent to another process here")
			}
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runScript(t, file, string(text))
		})
	}
}

// A script is a running one.
type script struct {
	t              *testing.T
	dir            string
	vars           map[string]string // the environment of what runs, and $NAMEs
	stdout, stderr []byte            // of the last run
	stdin          string
	bg             *background
}

// A background is what `bg` started.
type background struct {
	cmd    *exec.Cmd
	stdout *io.PipeReader
	seen   []byte // of stdout
	stderr bytes.Buffer
	ended  chan error // closed by its goroutine after the one result
}

func runScript(t *testing.T, file, text string) {
	body, files := sections(text)
	s := &script{t: t, dir: t.TempDir(), vars: map[string]string{
		"PATH":           filepath.Dir(program) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"PLAIT_KEYCHAIN": "off", "NO_COLOR": "1", "GIT_CONFIG_NOSYSTEM": "1",
		"SYSTEMROOT": os.Getenv("SYSTEMROOT"), "TMPDIR": t.TempDir(),
	}}
	s.vars["WORK"] = s.dir
	s.home("home")
	for name, content := range files {
		s.write(name, []byte(content))
	}
	defer s.stop()
	for n, l := range strings.Split(body, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if err := s.do(l); err != nil {
			t.Fatalf("%s:%d: %s\n%v\nstdout: %s\nstderr: %s", file, n+1, l, err, s.stdout, s.stderr)
		}
	}
}

// sections splits a script from the files that follow it.
func sections(text string) (body string, files map[string]string) {
	files = map[string]string{}
	marker := regexp.MustCompile(`(?m)^-- (.+) --\n`)
	at := marker.FindAllStringSubmatchIndex(text, -1)
	if len(at) == 0 {
		return text, files
	}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		files[text[m[2]:m[3]]] = text[m[1]:end]
	}
	return text[:at[0][0]], files
}

// words splits a line as the comment of TestScripts says.
func (s *script) words(l string) (words []string, err error) {
	var word strings.Builder
	in, quoted := false, false
	for i := 0; i < len(l); i++ {
		switch ch := l[i]; {
		case ch == '\'':
			in, quoted = true, !quoted
		case quoted:
			word.WriteByte(ch)
		case ch == ' ':
			if in {
				words, in = append(words, word.String()), false
				word.Reset()
			}
		case ch == '$':
			name := regexp.MustCompile(`^\w+`).FindString(l[i+1:])
			value, ok := s.vars[name]
			if !ok {
				return nil, fmt.Errorf("no $%s", name)
			}
			word.WriteString(value)
			i += len(name)
			in = true
		default:
			in = true
			word.WriteByte(ch)
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// do runs one line.
func (s *script) do(l string) error {
	words, err := s.words(l)
	if err != nil {
		return err
	}
	not, status := false, 0
	switch n, err := strconv.Atoi(words[0]); {
	case err == nil:
		status, words = n, words[1:]
	case words[0] == "!":
		not, words = true, words[1:]
	}
	verb, args := words[0], words[1:]
	if least := map[string]int{"stdout": 1, "stderr": 1, "json": 2, "errjson": 2, "same": 2, "has": 2, "change": 3,
		"write": 2, "mkdir": 1, "chmod": 2, "copy": 2, "remove": 1, "exists": 1, "stdin": 1, "as": 1, "env": 1, "grab": 2}[verb]; len(args) < least {
		return fmt.Errorf("%s takes %d words", verb, least)
	}
	err = s.verb(verb, args, status)
	if check := verb == "stdout" || verb == "stderr" || verb == "has" || verb == "exists" || verb == "json"; not && check {
		if err == nil {
			return errors.New("holds, and should not")
		}
		return nil
	}
	return err
}

func (s *script) verb(verb string, args []string, status int) error {
	switch verb {
	case "plait", "git":
		return s.run(verb, args, status)
	case "bg":
		return s.start(args[1:])
	case "wait":
		return s.wait(status)
	case "interrupt":
		return s.bg.cmd.Process.Signal(os.Interrupt)
	case "grab":
		return s.grab(args[0], args[1])
	case "stdout":
		return matches(s.stdout, args[0])
	case "stderr":
		return matches(s.stderr, args[0])
	case "json":
		return hasJSON(s.stdout, args[0], args[1])
	case "errjson":
		return hasJSON(s.stderr, args[0], args[1])
	case "as":
		s.home(args[0])
		return nil
	case "env":
		name, value, _ := strings.Cut(args[0], "=")
		s.vars[name] = value
		return nil
	case "stdin":
		s.stdin = s.path(args[0])
		return nil
	}
	return s.file(verb, args)
}

// file runs the verbs about files.
func (s *script) file(verb string, args []string) error {
	switch verb {
	case "same":
		a, err := os.ReadFile(s.path(args[0]))
		if err != nil {
			return err
		}
		b, err := os.ReadFile(s.path(args[1]))
		if err == nil && !bytes.Equal(a, b) {
			err = fmt.Errorf("differ:\n%s\n---\n%s", a, b)
		}
		return err
	case "has":
		text, err := os.ReadFile(s.path(args[0]))
		if err == nil && !bytes.Contains(text, []byte(args[1])) {
			err = fmt.Errorf("%s holds:\n%s", args[0], text)
		}
		return err
	case "change":
		text, err := os.ReadFile(s.path(args[0]))
		if err != nil {
			return err
		}
		if n := bytes.Count(text, []byte(args[1])); n != 1 {
			return fmt.Errorf("stands %d times in:\n%s", n, text)
		}
		return os.WriteFile(s.path(args[0]), bytes.Replace(text, []byte(args[1]), []byte(args[2]), 1), 0o644)
	case "write":
		s.write(args[0], []byte(args[1]))
		return nil
	case "mkdir":
		return os.MkdirAll(s.path(args[0]), 0o755)
	case "chmod":
		mode, err := strconv.ParseUint(args[0], 8, 32)
		return errors.Join(err, os.Chmod(s.path(args[1]), os.FileMode(mode)))
	case "copy":
		return copyAll(s.path(args[0]), s.path(args[1]))
	case "remove":
		return os.RemoveAll(s.path(args[0]))
	case "exists":
		_, err := os.Stat(s.path(args[0]))
		return err
	}
	return fmt.Errorf("no such verb: %s", verb)
}

// copyAll copies a file, or a folder with all that is in it.
func copyAll(from, to string) error {
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

func (s *script) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

func (s *script) write(name string, text []byte) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), text, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// home makes everything of one person's device lie below dir/name.
func (s *script) home(name string) {
	home := filepath.Join(s.dir, name)
	maps.Copy(s.vars, map[string]string{"HOME": home, "USERPROFILE": home,
		"APPDATA": filepath.Join(home, "AppData", "Roaming"), "LOCALAPPDATA": filepath.Join(home, "AppData", "Local")})
	if err := os.MkdirAll(home, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// command prepares a run in the script's folder and environment.
func (s *script) command(name string, args []string) *exec.Cmd {
	if name == "plait" {
		name = program
	}
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir = s.dir
	for k, v := range s.vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

func (s *script) run(name string, args []string, status int) error {
	cmd := s.command(name, args)
	if s.stdin != "" {
		f, err := os.Open(s.stdin)
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.Stdin, s.stdin = f, ""
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	s.stdout, s.stderr = out.Bytes(), errs.Bytes()
	return ended(err, status)
}

// ended says whether a process ended with the status.
func ended(err error, status int) error {
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		return err
	case err == nil && status != 0, err != nil && exit.ExitCode() != status:
		return fmt.Errorf("ended with %v; want status %d", err, status)
	}
	return nil
}

// start runs the program in the background.
func (s *script) start(args []string) error {
	r, w := io.Pipe()
	b := &background{cmd: s.command("plait", args), stdout: r, ended: make(chan error, 1)}
	b.cmd.Stdout, b.cmd.Stderr = w, &b.stderr
	if err := b.cmd.Start(); err != nil {
		return err
	}
	go func() {
		err := b.cmd.Wait()
		w.Close()
		b.ended <- err
		close(b.ended)
	}()
	s.bg = b
	return nil
}

// grab reads what runs in the background until it has printed a match; where nothing
// does, it takes one from what the last command printed.
func (s *script) grab(name, pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	if s.bg == nil {
		m := re.FindSubmatch(s.stdout)
		if m == nil {
			return fmt.Errorf("no match in:\n%s", s.stdout)
		}
		s.vars[name] = string(m[min(1, len(m)-1)])
		return nil
	}
	buf := make([]byte, 4096)
	for {
		if m := re.FindSubmatch(s.bg.seen); m != nil {
			s.vars[name] = string(m[min(1, len(m)-1)])
			return nil
		}
		n, err := s.bg.stdout.Read(buf)
		s.bg.seen = append(s.bg.seen, buf[:n]...)
		if err != nil {
			return fmt.Errorf("ended without a match; it printed:\n%s\n%s", s.bg.seen, s.bg.stderr.Bytes())
		}
	}
}

// wait takes the end of what runs in the background.
func (s *script) wait(status int) error {
	rest, err := io.ReadAll(s.bg.stdout)
	if err != nil {
		return err
	}
	err = <-s.bg.ended
	s.stdout, s.stderr = append(s.bg.seen, rest...), s.bg.stderr.Bytes()
	s.bg = nil
	return ended(err, status)
}

// stop ends what a failed script left running.
func (s *script) stop() {
	if s.bg != nil {
		s.bg.cmd.Process.Kill()
		go io.Copy(io.Discard, s.bg.stdout)
		<-s.bg.ended
	}
}

func matches(text []byte, pattern string) error {
	re, err := regexp.Compile("(?s)" + pattern)
	if err == nil && !re.Match(text) {
		err = errors.New("no match")
	}
	return err
}

// hasJSON says whether the JSON text has want at path.
func hasJSON(text []byte, path, want string) error {
	var at any
	if err := json.Unmarshal(text, &at); err != nil {
		return err
	}
	path, length := strings.CutPrefix(path, "#")
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		switch v := at.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return fmt.Errorf("nothing at %q of %v", step, v)
			}
			at = next
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(v) {
				return fmt.Errorf("nothing at %q of %v", step, v)
			}
			at = v[n]
		default:
			return fmt.Errorf("nothing at %q of %v", step, v)
		}
	}
	if length {
		list, ok := at.([]any)
		if !ok {
			return fmt.Errorf("%v is no list", at)
		}
		at = float64(len(list))
	}
	if want == "*" {
		return nil
	}
	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		return fmt.Errorf("want %s: %w", want, err)
	}
	if !reflect.DeepEqual(at, wanted) {
		got, _ := json.Marshal(at)
		return fmt.Errorf("got %s", got)
	}
	return nil
}
