// Package stand makes a copy of our package that stands in for github.com/gorilla/websocket: a module of that path.
package stand

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Path is the import path that the copy has.
const Path = "github.com/gorilla/websocket"

// Root returns the folder of the module github.com/closeonce/websocket.
func Root() (string, error) { return goList("-m", "-f", "{{.Dir}}", "github.com/closeonce/websocket") }

// Theirs returns the folder of the original in the module cache.
func Theirs() (string, error) {
	if out, err := exec.Command("go", "mod", "download", Path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go mod download: %v\n%s", err, out)
	}
	return goList("-m", "-f", "{{.Dir}}", Path)
}

func goList(args ...string) (string, error) {
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("go list %v: %v", args, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Make writes the copy to dir.
func Make(dir string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	if err := copyPackage(root, "gorilla", dir, ""); err != nil {
		return err
	}
	mod := fmt.Sprintf("module %s\n\ngo 1.25.0\n\nrequire github.com/closeonce/websocket v0.0.0\n\nreplace github.com/closeonce/websocket => %s\n", Path, root)
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o666)
}

// internal finds imports of internal packages of ours.
var internal = regexp.MustCompile(`"github\.com/closeonce/websocket/(internal/[^"]+)"`)

// copyPackage copies the package in the folder from of root to the folder to of dir, and with it the internal packages that it
// imports, which a module of another path may not.
func copyPackage(root, from, dir, to string) error {
	files, err := filepath.Glob(filepath.Join(root, from, "*.go"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, to), 0o777); err != nil {
		return err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, imported := range internal.FindAllSubmatch(text, -1) {
			folder := string(imported[1])
			if _, err := os.Stat(filepath.Join(dir, folder)); err == nil {
				continue
			}
			if err := copyPackage(root, folder, dir, folder); err != nil {
				return err
			}
		}
		text = internal.ReplaceAll(text, []byte(`"`+Path+`/$1"`))
		if err := os.WriteFile(filepath.Join(dir, to, filepath.Base(name)), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// CopyTree copies files and folders of the module cache, which are read-only there.
func CopyTree(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o777)
		}
		if err == nil {
			return os.Chmod(path, 0o666)
		}
		return err
	})
}

// Examples makes a copy in dir with the original's examples in it, unchanged, and builds them. It returns their names; the
// program of each is in its folder, as program.
func Examples(dir string) (names []string, err error) {
	theirs, err := Theirs()
	if err != nil {
		return nil, err
	}
	if err := Make(dir); err != nil {
		return nil, err
	}
	if err := CopyTree(filepath.Join(theirs, "examples"), filepath.Join(dir, "examples")); err != nil {
		return nil, err
	}
	mains, err := filepath.Glob(filepath.Join(dir, "examples", "*", "*.go"))
	if err != nil {
		return nil, err
	}
	for _, main := range mains {
		folder, file := filepath.Split(main)
		name := filepath.Base(folder)
		args := []string{"build", "-o", "program", "."}
		if name == "echo" { // two programs in one folder
			args = []string{"build", "-o", strings.TrimSuffix(file, ".go"), file}
			name += "/" + strings.TrimSuffix(file, ".go")
		}
		if len(names) > 0 && names[len(names)-1] == name {
			continue
		}
		cmd := exec.Command("go", args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %v\n%s", name, err, out)
		}
		names = append(names, name)
	}
	return names, nil
}
