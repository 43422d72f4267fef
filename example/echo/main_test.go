package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

func TestTalkPrintsEveryLineAsItComesBack(t *testing.T) {
	server := httptest.NewServer(websocket.Handler(nil, echo))
	defer server.Close()

	const lines = "Hello\n\nGrüß Gott\n"
	var out strings.Builder
	if err := talk(context.Background(), server.URL, strings.NewReader(lines), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != lines {
		t.Errorf("sent %q, printed %q", lines, out.String())
	}
}

func TestTalkReportsWhatIsNoWebSocketServer(t *testing.T) {
	server := httptest.NewServer(nil)
	defer server.Close()

	err := talk(context.Background(), server.URL, strings.NewReader("Hello\n"), &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("talk returned %v, want an error that says 404", err)
	}
}
