package moving

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestWasm: a program for browsers moves by its import path: it compiles with both libraries.
func TestWasm(t *testing.T) {
	source, err := os.ReadFile("testdata/wasm/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"github.com/coder/websocket", "github.com/closeonce/websocket"} {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, bytes.ReplaceAll(source, []byte("github.com/coder/websocket"), []byte(path)), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "vet", file)
		cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
