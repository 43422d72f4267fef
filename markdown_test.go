package websocket_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fencedBlock  = regexp.MustCompile("(?ms)^```.*?^```$")
	codeSpan     = regexp.MustCompile("`([^`\n]+)`")
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.+)$`)
	testName     = regexp.MustCompile(`^((?:Test|Fuzz)\w+)([*…]?)$`)
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	fileName     = regexp.MustCompile(`^(?:internal/|example/|\.ci/|\.github/)[\w./*-]*$|^[\w./*-]+\.(?:go|md|sh|svg)$`)
	packageInRun = regexp.MustCompile(`(?:^|\s)(\./[\w/-]+|\.\./[\w./-]+)`)
)

// TestMarkdownLinks: relative links in Markdown lead to a file, and to a heading if they name one.
func TestMarkdownLinks(t *testing.T) {
	texts, _ := repository(t)
	links := 0
	for name, text := range texts {
		text = codeSpan.ReplaceAllString(fencedBlock.ReplaceAllString(text, ""), "")
		for _, match := range markdownLink.FindAllStringSubmatch(text, -1) {
			target, fragment, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, match[1])
			} else if fragment != "" && !slices.Contains(anchors(texts[file]), fragment) {
				t.Errorf("%s links to %s, where no heading has that name", name, match[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
}

// TestMarkdownNames: the tests, files and packages that Markdown names between backquotes exist, and so do the directories
// in commands.
func TestMarkdownNames(t *testing.T) {
	texts, files := repository(t)
	var tests []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			for _, match := range testFunction.FindAllStringSubmatch(read(t, file), -1) {
				tests = append(tests, match[1])
			}
		}
	}
	names := 0
	for name, text := range texts {
		spans := fencedBlock.FindAllString(text, -1)
		for _, match := range codeSpan.FindAllStringSubmatch(fencedBlock.ReplaceAllString(text, ""), -1) {
			span := match[1]
			spans = append(spans, span)
			if match := testName.FindStringSubmatch(span); match != nil {
				names++
				if !slices.ContainsFunc(tests, func(test string) bool {
					return test == match[1] || match[2] != "" && strings.HasPrefix(test, match[1])
				}) {
					t.Errorf("%s names the test %s, which does not exist", name, span)
				}
			} else if fileName.MatchString(span) {
				names++
				if !exists(files, path.Dir(name), span) {
					t.Errorf("%s names the file %s, which does not exist", name, span)
				}
			}
		}
		for _, span := range spans {
			if !strings.Contains(span, "go run") && !strings.Contains(span, "go test") {
				continue
			}
			for _, match := range packageInRun.FindAllStringSubmatch(span, -1) {
				names++
				if strings.HasPrefix(match[1], "./") && match[1] != "./..." && !exists(files, path.Dir(name), match[1][len("./"):]) {
					t.Errorf("%s has a command with %s, which does not exist", name, match[1])
				}
			}
		}
	}
	if names < 100 {
		t.Errorf("only %d names were found", names)
	}
}

// exists reports whether a file or directory of that name, which may be a pattern, lies in the repository's root, in dir, or,
// if it is only a file's name, anywhere.
func exists(files []string, dir, name string) bool {
	name = strings.TrimSuffix(name, "/")
	return slices.ContainsFunc(files, func(file string) bool {
		if !strings.Contains(name, "/") {
			if ok, _ := path.Match(name, path.Base(file)); ok {
				return true
			}
		}
		for _, at := range []string{name, path.Join(dir, name)} {
			if ok, _ := path.Match(at, file); ok || strings.HasPrefix(file, at+"/") {
				return true
			}
		}
		return false
	})
}

// anchors returns the names by which links reach the headings of a Markdown text.
func anchors(text string) (names []string) {
	for _, match := range heading.FindAllStringSubmatch(fencedBlock.ReplaceAllString(text, ""), -1) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case strings.ContainsRune("`.,:;()?!'\"/", r):
				return -1
			}
			return r
		}, strings.ToLower(match[1])))
	}
	return names
}

// repository returns the texts of the Markdown files by name, and the names of all files.
func repository(t *testing.T) (texts map[string]string, files []string) {
	t.Helper()
	texts = map[string]string{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if base := entry.Name(); base == ".git" || base == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		name = filepath.ToSlash(name)
		files = append(files, name)
		if path.Ext(name) == ".md" {
			texts[name] = read(t, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts, files
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
